# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring hosts up and down, end their lives in other ways, and run commands on them."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import shlex
import subprocess
import threading
import time
import typing as t

from tests.hosts import access, containers, engine, images, lookalikes, machine, records, vms
from tests.hosts.machine import HostError
from tests.hosts.records import Host, Options

# On an idle machine a container boots in two seconds, an emulated machine in half a minute.
_BOOT_SECONDS = 120.0
_VM_BOOT_SECONDS = 900.0
_POLL_SECONDS = 0.05

# The first addresses of the network are the bridge's and whatever else podman may want.
_FIRST_ADDRESS = 10


def up(names: t.Sequence[str], options: Options = Options()) -> t.List[Host]:
    """Return these hosts, booted and answering; one that runs with the same options is kept, any other of that name is replaced.

    Raises NotPossible where this machine cannot have hosts, HostError where one did not come up: then none of the new ones remain.
    """
    for name in names:
        records.check_name(name)
    lookalikes.files(options.like)
    if options.vm and options.mounts:
        raise HostError("a virtual machine has no mounts: copy what it needs")
    machine.require(machine.PACKAGES)
    image = vms.ensure(options.suite) if options.vm else images.ensure(options.suite)
    made: t.Set[str] = set()
    cancelled = threading.Event()
    try:
        return _each(names, lambda name: _up_one(name, options, image, made, cancelled), cancelled)
    except BaseException:
        _each(sorted(made), _down_one)
        raise


def _each(names: t.Sequence[str], work: t.Callable[[str], t.Any], failed: t.Optional[threading.Event] = None) -> t.List[t.Any]:
    """Do the work for each host at the same time, set failed at the first error, wait for the rest, and raise that error."""
    names = list(dict.fromkeys(names))
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(len(names), 1)) as pool:
        futures = [pool.submit(work, name) for name in names]
        try:
            for future in concurrent.futures.as_completed(futures):
                future.result()
        except BaseException:
            if failed:
                failed.set()
            raise
        return [future.result() for future in futures]


def _up_one(name: str, options: Options, image: str, made: t.Set[str], cancelled: threading.Event) -> Host:
    with records.host_lock(name):
        there = records.load(name)
        if there and there.ready and (there.options, there.image) == (options, image) and containers.is_running(there):
            return wait(there, cancelled=cancelled)
        _remove(name)
        made.add(name)
        private, public = access.host_key(name)
        with records.lock():
            engine.start()
            network = engine.network()
            host = records.save(Host(name, _free_address(network), image, options, public))
            _write_access()
        files = _own_files(host, network, private)
        if options.vm:
            vms.make(host, files, network.gateway, network.subnet.prefixlen)
        else:
            containers.make(host, files)
        wait(host, cancelled=cancelled)
        return records.save(dataclasses.replace(host, ready=True))


def _free_address(network: engine.Network) -> str:
    used = {host.address for host in map(records.load, records.names()) if host}
    for address in list(network.subnet.hosts())[_FIRST_ADDRESS:]:
        if str(address) not in used:
            return str(address)
    raise HostError("the network %s has no free address" % network.subnet)


def _own_files(host: Host, network: engine.Network, private_key: str) -> t.List[containers.File]:
    return [
        containers.File(records.HOME + "/.ssh/authorized_keys", access.user_key(), 0o600),
        containers.File("/etc/ssh/ssh_host_ed25519_key", private_key, 0o600),
        containers.File("/etc/ssh/ssh_host_ed25519_key.pub", host.public_key),
        containers.File("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost ip6-localhost ip6-loopback\n" % host.name),
        containers.File("/etc/resolv.conf", "nameserver %s\n" % network.gateway),
        *(containers.File(path, text) for path, text in lookalikes.files(host.options.like)),
    ]


def _write_access() -> None:
    hosts = [host for host in map(records.load, records.names()) if host]
    access.write((host.name, host.address, host.public_key) for host in hosts)


def down(names: t.Optional[t.Sequence[str]] = None) -> t.List[str]:
    """Remove these hosts, or all that are recorded, with everything that was theirs; return the names of those that were there."""
    there = records.names()
    chosen = there if names is None else [name for name in dict.fromkeys(names) if name in there]
    _each(chosen, _down_one)
    return chosen


def _down_one(name: str) -> None:
    with records.host_lock(name):
        _remove(name)


def _remove(name: str) -> None:
    """Remove whatever there is of a host; the last one takes the network with it."""
    if records.load(name) is None:
        return
    with records.lock():
        engine.start()
    access.disconnect(name)
    containers.remove(name)
    vms.remove(name)
    with records.lock():
        records.forget(name)
        _write_access()
        if not records.names():
            engine.stop()


def wait(host: Host, not_boot: str = "", cancelled: t.Optional[threading.Event] = None) -> Host:
    """Return the host when it has booted and answers over ssh, in another boot than not_boot. Raises HostError where a unit failed."""
    seconds = _VM_BOOT_SECONDS if host.options.vm else _BOOT_SECONDS
    deadline, last = time.monotonic() + seconds, ""
    while time.monotonic() < deadline and not (cancelled and cancelled.is_set()):
        done = access.ssh(host.name, "%s && timeout 30 systemctl is-system-running --wait" % _BOOT, check=False)
        last = (done.stdout + done.stderr).strip()
        lines = done.stdout.split()
        if len(lines) == 3 and "/".join(lines[:2]) != not_boot:
            if lines[2] == "running":
                return host
            if lines[2] == "degraded":
                raise HostError("%s booted, but not all of it:\n%s" % (host.name, run(host, "systemctl", "--failed", "--no-legend").stdout))
        time.sleep(_POLL_SECONDS)
    raise HostError("%s did not boot within %.0f s, or another host failed; it last said: %s" % (host.name, seconds, vms.console(host.name) or last))


# Tells boots apart: the kernel's, and for a container, which shares its kernel, the time at which PID 1 started.
_BOOT = "cat /proc/sys/kernel/random/boot_id && cut -d' ' -f22 /proc/1/stat"


def boot_of(host: Host) -> str:
    """Return what tells this boot of the host from others."""
    return "/".join(run(host, "sh", "-c", _BOOT).stdout.split())


def reboot(name: str) -> Host:
    """Reboot a host from inside and return when it is back."""
    # Without logind systemctl complains, and then reboots all the same.
    return _another_boot(name, lambda host: run(host, "systemctl", "reboot", check=False))


def kill(name: str) -> Host:
    """Take a host's power away, and return when it is back."""
    return _another_boot(name, containers.cut_power)


def _another_boot(name: str, end: t.Callable[[Host], t.Any]) -> Host:
    with records.host_lock(name):
        host = records.get(name)
        before = boot_of(host)
        access.disconnect(name)
        end(host)
        wait(host, not_boot=before)
        return host


def run(host: Host, *command: t.Any, **options: t.Any) -> subprocess.CompletedProcess:
    """Run a command on a host and return it with its output as text. Raises HostError where it fails, unless check is false."""
    if host.options.vm:
        return access.ssh(host.name, shlex.join(map(str, command)), **options)
    return containers.run(host, *command, **options)


def states() -> t.List[t.Dict[str, t.Any]]:
    """Return each recorded host as a dictionary, with whether it runs."""
    hosts = [host for host in map(records.load, records.names()) if host]
    return [dict(dataclasses.asdict(host), running=containers.is_running(host)) for host in hosts]
