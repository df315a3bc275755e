# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""podman with a store, a network and a view of cgroup2 of its own: the user's containers are neither seen nor touched."""

from __future__ import annotations

import ipaddress
import json
import os
import resource
import secrets
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import paths
from tests.hosts import machine
from tests.hosts.machine import HostError, NotPossible

# Networks of all state directories are described in one place, so that podman gives each a subnet and an interface of its own.
_NETWORKS = "/run/gpuops-hosts/networks"

# Where podman's name service reads the hosts of each network.
_NAMES = "/run/containers/networks/aardvark-dns"

# Where the machine's own controllers are bound to cgroup v1, systemd refuses to run or leaves cgroups behind in the machine's root.
_CGROUP2_ONLY = "umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup"

# runc, because crun insists on raising limits, which takes rights that a machine may lack. Locks in files: podman's locks in shared
# memory would be shared with the user's podman. No pids limit: the pids controller may be missing in the view of cgroup2.
_CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=%(nofile)d:%(nofile)d", "nproc=%(nproc)d:%(nproc)d"]
pids_limit = 0
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "%(directory)s/libpod"
[network]
network_backend = "netavark"
network_config_dir = "%(networks)s"
"""


def _limit(kind: int, most: int) -> int:
    """Return the hard limit of this process: it may not be raised where CAP_SYS_RESOURCE is missing."""
    hard = resource.getrlimit(kind)[1]
    return most if hard == resource.RLIM_INFINITY else min(hard, most)


def _configure(directory: Path) -> Path:
    """Write podman's configuration for a store whose passing files lie in this directory, and return its path."""
    (directory / "libpod").mkdir(parents=True, exist_ok=True)
    Path(_NETWORKS).mkdir(parents=True, exist_ok=True)
    path = directory / "containers.conf"
    values = {"directory": directory, "networks": _NETWORKS, "nofile": _limit(resource.RLIMIT_NOFILE, 1 << 20), "nproc": _limit(resource.RLIMIT_NPROC, 1 << 15)}
    return paths.write_private(path, _CONFIGURATION % values)


def _podman(configuration: Path, root: Path, run_root: Path, *words: t.Any, before: t.Sequence[str] = (), **options: t.Any) -> subprocess.CompletedProcess:
    environment = dict(os.environ, CONTAINERS_CONF=str(configuration))
    called = "podman " + " ".join(str(word) for word in words if not str(word).startswith(("-", "overlay.")))
    store = ("--storage-driver", "overlay", "--root", root, "--runroot", run_root)
    return machine.run(*before, "podman", *store, *words, env=environment, called=called, **options)


def image_podman(*words: t.Any, **options: t.Any) -> subprocess.CompletedProcess:
    """Run podman on the store of images, which all state directories share; it never runs anything."""
    directory = machine.cache_directory()
    return _podman(_configure(directory / "run"), directory / "images", directory / "run" / "store", *words, **options)


def podman(*words: t.Any, **options: t.Any) -> subprocess.CompletedProcess:
    """Run podman on the store of hosts, into which the images are read."""
    directory = machine.run_directory()
    before = ("nsenter", "--mount=%s" % (directory / "mnt"), "--")
    images = ("--storage-opt", "overlay.imagestore=%s" % (machine.cache_directory() / "images"))
    return _podman(directory / "containers.conf", machine.state_directory() / "store", directory / "store", *images, *words, before=before, **options)


def start() -> None:
    """Make the namespace that podman always runs in; nothing happens where it is there."""
    directory = machine.run_directory()
    namespace = directory / "mnt"
    if os.path.ismount(namespace):
        return
    try:
        if not os.path.ismount(directory):
            # Gone when the machine starts anew, as podman relies on; private, as a mount must be that holds a namespace.
            directory.mkdir(parents=True, exist_ok=True)
            machine.run("mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", directory)
            machine.run("mount", "--make-private", directory)
        _configure(directory)
        (directory / "ssh").mkdir(exist_ok=True)
        # A new name each time: podman may remember addresses, and its name service hosts, of a network that the machine's end cut off.
        for path in [*Path(_NETWORKS).glob("gpuops-%s-*" % directory.name), *Path(_NAMES).glob("gpuops-%s-*" % directory.name)]:
            path.unlink()
        (directory / "network").write_text("gpuops-%s-%s" % (directory.name, secrets.token_hex(4)), encoding="utf-8")
        namespace.touch()
        machine.run("unshare", "--mount=%s" % namespace, "--propagation", "private", "--", "sh", "-c", _CGROUP2_ONLY)
    except (HostError, OSError) as error:
        raise NotPossible("no mount namespace with cgroup2 alone can be made here: %s" % str(error).replace("\n", " ")) from error


def stop() -> None:
    """Remove the network and the namespace; the images stay."""
    directory = machine.run_directory()
    if os.path.ismount(directory / "mnt"):
        podman("network", "rm", "--force", network_name(), check=False)
        machine.run("umount", directory / "mnt")
    if os.path.ismount(directory):
        machine.run("umount", directory)
    if directory.exists():
        directory.rmdir()


def network_name() -> str:
    """Return the name of the hosts' network."""
    return (machine.run_directory() / "network").read_text(encoding="utf-8")


class Network(t.NamedTuple):
    """The bridge between the hosts and the machine."""

    interface: str
    gateway: str
    subnet: ipaddress.IPv4Network


def network() -> Network:
    """Return the hosts' network, made where it is missing; podman looks for a subnet that no interface or other network of the machine has."""
    if podman("network", "exists", network_name(), check=False).returncode:
        podman("network", "create", network_name())
    found = json.loads(podman("network", "inspect", network_name()).stdout)[0]
    return Network(found["network_interface"], found["subnets"][0]["gateway"], ipaddress.IPv4Network(found["subnets"][0]["subnet"]))


def process_of(container: str) -> t.Optional[int]:
    """Return the process id that the container's PID 1 has on the machine, or None where it does not run."""
    done = podman("container", "inspect", "--format", "{{.State.Pid}}", container, check=False)
    return int(done.stdout) or None if done.returncode == 0 else None
