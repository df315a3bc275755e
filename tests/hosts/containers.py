# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are containers with systemd as PID 1."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import tarfile
import typing as t

from tests.hosts import engine, machine
from tests.hosts.records import Host


class File(t.NamedTuple):
    """A file to be in a host when it boots first."""

    path: str
    text: str
    mode: int = 0o644


def network_options(host: Host) -> t.List[str]:
    """Return the options of podman for a container that is on the network as this host, and privileged.

    The address is of our own choice, so that a host which reboots keeps it; name service and /etc/hosts too, so that it edits plain files.
    Always restarted: a reboot and a power loss look to podman like an end.
    """
    return ["--name", host.container, "--hostname", host.name, "--restart=always", "--privileged", "--network", engine.network_name(), "--ip", host.address,
            "--mac-address", host.hardware_address, "--network-alias", host.name, "--dns=none", "--no-hosts"]


def make(host: Host, files: t.Iterable[File]) -> None:
    """Make a host, put the files into it, and start it."""
    mounts = ["--volume=%s:%s:ro" % pair for pair in host.options.mounts]
    # The volume: overlayfs, as containerd uses it, refuses to lie on overlayfs.
    engine.podman("create", *network_options(host), "--systemd=always", "--volume=/var/lib/containerd", *mounts, host.image)
    engine.podman("cp", "-", host.container + ":/", input=archive(files), text=False)
    engine.podman("start", host.container)


def archive(files: t.Iterable[File]) -> bytes:
    """Return a tar archive of these files, which belong to root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for file in files:
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.mode, entry.size = file.mode, len(file.text.encode())
            tar.addfile(entry, io.BytesIO(file.text.encode()))
    return buffer.getvalue()


def is_running(host: Host) -> bool:
    """Return whether the host runs, booted or not."""
    return engine.process_of(host.container) is not None


def remove(name: str) -> None:
    """End a host and remove all that was its own."""
    engine.podman("rm", "--force", "--ignore", "--volumes", "--time", "0", "gpuops-" + name)


def cut_power(host: Host) -> None:
    """End every process of the host at once; it then boots again."""
    process = engine.process_of(host.container)
    if process is None:
        raise machine.HostError("%s does not run" % host.name)
    os.kill(process, signal.SIGKILL)


def run(host: Host, *command: t.Any, **options: t.Any) -> subprocess.CompletedProcess:
    """Run a command in the host, without the network."""
    return engine.podman("exec", *(["--interactive"] if "input" in options or "stdin" in options else []), host.container, *command, **options)
