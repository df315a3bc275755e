# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ssh to the hosts: one key for each state directory, and one configuration with a block for each host."""

from __future__ import annotations

import subprocess
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import paths
from tests.hosts import machine

_KEY = "id_ed25519"

# A host that ended without a word, as one does that lost its power, must not keep a shared connection open for long.
_BLOCK = """\
Host %(name)s %(address)s
    HostName %(address)s
    HostKeyAlias %(name)s
    User root
    IdentityFile "%(state)s/id_ed25519"
    IdentitiesOnly yes
    UserKnownHostsFile "%(state)s/known_hosts"
    StrictHostKeyChecking yes
    PreferredAuthentications publickey
    ConnectTimeout 5
    ServerAliveInterval 2
    ServerAliveCountMax 5
    ControlMaster auto
    ControlPersist 60
    ControlPath %(sockets)s/%(name)s
    LogLevel ERROR
"""


def configuration() -> Path:
    """Return the path of the ssh configuration."""
    return machine.state_directory() / "ssh_config"


def make_key(directory: Path, comment: str) -> t.Tuple[str, str]:
    """Return the private and the public half of a key, made in the directory where it is missing."""
    path = directory / _KEY
    if not path.exists():
        machine.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path)
    return path.read_text(encoding="utf-8"), path.with_suffix(".pub").read_text(encoding="utf-8")


def user_key() -> str:
    """Return the public key of whoever uses the hosts."""
    return make_key(machine.state_directory(), "gpuops test hosts")[1]


def host_key(name: str) -> t.Tuple[str, str]:
    """Return the private and the public half of a new key for a host."""
    with tempfile.TemporaryDirectory(dir=machine.state_directory()) as scratch:
        return make_key(Path(scratch), name)


def block(name: str, address: str, state: Path, sockets: Path) -> str:
    """Return a host's part of the configuration."""
    return _BLOCK % {"name": name, "address": address, "state": state, "sockets": sockets}


def write(hosts: t.Iterable[t.Tuple[str, str, str]]) -> None:
    """Write the configuration and the known keys of these hosts, given as name, address and public key."""
    state, sockets, hosts = machine.state_directory(), machine.run_directory() / "ssh", list(hosts)
    paths.write_private(state / "known_hosts", "".join("%s %s\n" % (name, " ".join(key.split()[:2])) for name, address, key in hosts))
    paths.write_private(configuration(), "\n".join(block(name, address, state, sockets) for name, address, key in hosts))


def ssh(name: str, command: str, **options: t.Any) -> subprocess.CompletedProcess:
    """Run a command on a host over a connection of its own, which no earlier life of the host can spoil."""
    return machine.run("ssh", "-F", configuration(), "-o", "ControlMaster=no", "-o", "ControlPath=none", name, command, **options)


def disconnect(name: str) -> None:
    """End the shared connection to a host, if there is one."""
    if (machine.run_directory() / "ssh" / name).exists():
        machine.run("ssh", "-F", configuration(), "-O", "exit", name, check=False)
