# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known about the hosts: one file for each, written before anything of the host is made."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import typing as t
from pathlib import Path

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import paths
from tests.hosts import machine
from tests.hosts.machine import HostError

# Where root is at home, as whom everything logs in.
HOME = "/root"

# Names of hosts become names of containers, files and DNS.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")


@dataclasses.dataclass(frozen=True)
class Options:
    """What a host is made of; mounts are (source, destination), read-only in the host."""

    suite: str = "bookworm"
    like: str = ""
    mounts: t.Tuple[t.Tuple[str, str], ...] = ()
    vm: bool = False
    memory_mib: int = 2048


@dataclasses.dataclass(frozen=True)
class Host:
    """A host; it is ready once it booted and answered over ssh."""

    name: str
    address: str
    image: str
    options: Options
    public_key: str = ""
    ready: bool = False

    @property
    def container(self) -> str:
        """Return the name that podman knows the host by."""
        return "gpuops-" + self.name

    @property
    def hardware_address(self) -> str:
        """Return the network address that stays over restarts, so that nobody remembers a wrong one."""
        return "02:67:" + ":".join("%02x" % int(part) for part in self.address.split("."))


def check_name(name: str) -> str:
    """Return the name. Raises HostError where no host can have it."""
    if not _NAME.fullmatch(name):
        raise HostError("the name %r must be 1 to 40 lower case letters, digits and dashes, with a letter or digit at both ends" % name)
    return name


def _directory() -> Path:
    return paths.make_private(machine.state_directory() / "records")


def _path(name: str) -> Path:
    return _directory() / (check_name(name) + ".json")


def lock() -> t.ContextManager[None]:
    """Keep others from changing records, addresses, the network and the ssh configuration."""
    return machine.locked(machine.state_directory() / "lock")


@contextlib.contextmanager
def host_lock(name: str) -> t.Iterator[None]:
    """Keep others from changing this host."""
    with machine.locked(machine.state_directory() / "locks" / check_name(name)):
        yield


def load(name: str) -> t.Optional[Host]:
    """Return a host's record, or None."""
    try:
        values = json.loads(_path(name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    options = values.pop("options")
    return Host(options=Options(**dict(options, mounts=tuple(tuple(pair) for pair in options["mounts"]))), **values)


def get(name: str) -> Host:
    """Return a host's record. Raises HostError where there is no such host."""
    host = load(name)
    if host is None:
        raise HostError("no host %s: those recorded are %s" % (name, ", ".join(names()) or "none"))
    return host


def save(host: Host) -> Host:
    """Write a host's record and return it."""
    paths.write_private(_path(host.name), json.dumps(dataclasses.asdict(host), indent=1))
    return host


def forget(name: str) -> None:
    """Remove a host's record."""
    _path(name).unlink(missing_ok=True)


def names() -> t.List[str]:
    """Return the names of all recorded hosts."""
    return sorted(path.stem for path in _directory().glob("*.json"))
