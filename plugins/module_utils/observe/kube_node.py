# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Read what a host is and has, and what of a Kubernetes distribution is on it. Standard library only; nothing missing is an error."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import time
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_distributions import ARCHITECTURES, UNIT_DIRECTORY, Distribution

REVISION = "GPUOPS_REVISION"
# How long a command that only tells something may take, in seconds.
PATIENCE = 60


class File(t.NamedTuple):
    """One managed path: C(kind) is file, link, directory or empty when nothing is there; C(text) is the content, or the target of a link."""

    kind: str
    mode: int = 0
    owner: int = 0
    text: str = ""


class Service(t.NamedTuple):
    """The unit of the node, as systemd sees it, and what its main process was started from. C(starting) are the seconds since a start that has no end."""

    active: str = "inactive"
    enabled: bool = False
    pid: int = 0
    restarts: int = 0
    stale: bool = False
    version: str = ""
    revision: str = ""
    starting: float = 0.0


class Current(t.NamedTuple):
    """What was observed. C(files) is by path, C(images) the checksums of image archives by name, C(types) the node types whose unit is there.

    C(late) is whether the service runs and its node is not Ready in the wanted version.
    """

    host: t.Dict[str, t.Any]
    files: t.Dict[str, File]
    binary: str
    service: Service
    types: t.List[str]
    images: t.Dict[str, str]
    other_commands: t.Dict[str, str]
    joined: bool
    late: bool = False
    foreign: t.List[str] = []


def output(command: t.Sequence[str], **options: t.Any) -> t.Tuple[int, str]:
    """Return exit status and output of a command; 127 when there is no such command, 124 when it does not end."""
    try:
        done = subprocess.run(
            list(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False, **options
        )
    except (FileNotFoundError, PermissionError):
        return 127, ""
    except subprocess.TimeoutExpired:
        return 124, ""
    except OSError as problem:
        # A binary of another architecture.
        return 126 if problem.errno == errno.ENOEXEC else 127, ""
    return done.returncode, done.stdout.decode("utf-8", "replace")


def text_of(path: str) -> str:
    """Return a file's text, empty when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def read_file(path: str) -> File:
    """Return what lies at a path."""
    try:
        found = os.lstat(path)
    except OSError:
        return File("")
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISLNK(found.st_mode):
        return File("link", 0, found.st_uid, os.readlink(path))
    if stat.S_ISDIR(found.st_mode):
        return File("directory", mode, found.st_uid)
    return File("file", mode, found.st_uid, text_of(path))


def checksum(path: str) -> str:
    """Return the SHA-256 of a file in hexadecimal digits, empty when there is none."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


def read_current(distribution: Distribution, node_type: str, paths: t.Iterable[str]) -> Current:
    """Return what of a distribution is on this host, and what the host is.

    :param paths: the managed files to read, beside the unit and its environment.
    """
    units = {kind: os.path.join(UNIT_DIRECTORY, unit) for kind, unit in distribution.units.items()}
    unit = units[node_type]
    files = {path: read_file(path) for path in list(paths) + [unit, unit + ".env"] + sorted(distribution.links.values())}
    service = read_service(distribution, distribution.units[node_type])
    busy = [] if service.active in ("active", "activating", "reloading") else busy_ports(distribution.ports[node_type])
    return Current(
        host=dict(read_host(distribution), busy=busy),
        files=files,
        binary=checksum(distribution.binary),
        service=service,
        types=sorted(kind for kind, path in units.items() if os.path.exists(path)),
        images=read_images(distribution.images),
        other_commands=commands_elsewhere(distribution),
        foreign=read_foreign(distribution, distribution.units[node_type]),
        # A server that was refused has made directories, and no token; an agent no certificate.
        joined=any(os.path.exists(os.path.join(distribution.data, path)) for path in ("server/token", "agent/client-kubelet.crt")),
    )


def read_service(distribution: Distribution, unit: str) -> Service:
    """Return the state of a unit, and version and revision of the process that runs: files may have changed since it started."""
    wanted = "ActiveState,UnitFileState,MainPID,NRestarts,NeedDaemonReload,InactiveExitTimestampMonotonic"
    properties = dict(line.partition("=")[::2] for line in output(["systemctl", "show", unit, "-p", wanted])[1].splitlines())
    pid = int(properties.get("MainPID") or 0)
    version, revision = ("", "")
    if pid:
        version = version_in(output(["/proc/%d/exe" % pid, "--version"])[1], distribution)
        revision = environment_of(pid).get(REVISION, "")
    return Service(
        active=properties.get("ActiveState", "inactive"),
        enabled=properties.get("UnitFileState") == "enabled",
        pid=pid,
        restarts=int(properties.get("NRestarts") or 0),
        stale=properties.get("NeedDaemonReload") == "yes",
        version=version,
        revision=revision,
        starting=seconds_since(properties.get("InactiveExitTimestampMonotonic", "")) if properties.get("ActiveState") == "activating" else 0.0,
    )


def seconds_since(microseconds: str) -> float:
    """Return the seconds since a moment of the monotonic clock, as systemd tells it."""
    return time.clock_gettime(time.CLOCK_MONOTONIC) - int(microseconds) / 1e6 if microseconds.isdigit() and int(microseconds) else 0.0


def read_foreign(distribution: Distribution, unit: str) -> t.List[str]:
    """Return the files of others that decide beside ours: the service reads them too, and what comes later in the alphabet wins."""
    ours = os.path.basename(distribution.config) + ".d"
    places = [os.path.join(os.path.dirname(distribution.config), ours), os.path.join(UNIT_DIRECTORY, unit + ".d")]
    found = []
    for place in places:
        names = sorted(os.listdir(place)) if os.path.isdir(place) else []
        found += [os.path.join(place, name) for name in names if "gpuops" not in name and name.endswith((".yaml", ".yml", ".conf"))]
    return found


def installed_version(distribution: Distribution) -> str:
    """Return the version of the program on disk, empty when there is none that runs."""
    return version_in(output([distribution.binary, "--version"])[1], distribution)


def version_in(text: str, distribution: Distribution) -> str:
    """Return the version in what C(--version) prints."""
    found = re.match(r"%s version (v\S+)" % distribution.name, text)
    return found.group(1) if found else ""


def environment_of(pid: int) -> t.Dict[str, str]:
    """Return the environment that a process was started with."""
    return dict(item.partition("=")[::2] for item in text_of("/proc/%d/environ" % pid).split("\0") if item)


def read_images(directory: str) -> t.Dict[str, str]:
    """Return the checksums of the image archives that are there, by file name."""
    try:
        names = sorted(name for name in os.listdir(directory) if ".tar" in name)
    except OSError:
        return {}
    return {name: checksum(os.path.join(directory, name)) for name in names}


def commands_elsewhere(distribution: Distribution) -> t.Dict[str, str]:
    """Return the commands that are on PATH already, in other directories than ours: they are left alone."""
    ours = set(distribution.links.values())
    search = os.pathsep.join(["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"])
    found = {name: shutil.which(name, path=search) or "" for name in distribution.links}
    return {name: path for name, path in found.items() if path and path not in ours}


def busy_ports(ports: t.Iterable[int]) -> t.List[int]:
    """Return those TCP ports on which something listens."""
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in text_of(table).splitlines()[1:]:
            fields = line.split()
            if len(fields) > 3 and fields[3] == "0A":
                listening.add(int(fields[1].rpartition(":")[2], 16))
    return sorted(port for port in ports if port in listening)


def read_host(distribution: Distribution) -> t.Dict[str, t.Any]:
    """Return facts about the host that decide whether it can be a node."""
    now = time.time()
    release = dict(
        (key, value.strip().strip("\"'")) for key, equals, value in (line.partition("=") for line in text_of("/etc/os-release").splitlines()) if value
    )
    machine = os.uname().machine
    return {
        "hostname": socket.gethostname(),
        "machine_id": text_of("/etc/machine-id").strip(),
        "machine": machine,
        "architecture": ARCHITECTURES.get(machine, ""),
        "os": release.get("ID", ""),
        "os_like": release.get("ID_LIKE", "").split(),
        "os_version": release.get("VERSION_ID", ""),
        "os_name": release.get("PRETTY_NAME", ""),
        "systemd": os.path.isdir("/run/systemd/system"),
        "time": now,
        "swaps": [line.split()[0] for line in text_of("/proc/swaps").splitlines()[1:]],
        "default_route": has_default_route(),
        "addresses": read_addresses(),
        "free_mib": free_mib(distribution.data),
        "memory_mib": memory_mib(),
        "cgroups": read_cgroups(),
        "selinux": text_of("/sys/fs/selinux/enforce").strip() == "1",
        "services": [name for name in ("firewalld", "NetworkManager", "ufw") if output(["systemctl", "is-active", name])[1].strip() == "active"],
        "sysctls": {name: text_of("/proc/sys/" + name.replace(".", "/")).strip() for name in ("fs.inotify.max_user_instances", "fs.inotify.max_user_watches")},
    }


def has_default_route() -> bool:
    """Return whether there is a default route in either protocol, as the agent looks for one."""
    for line in text_of("/proc/net/route").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[1] == fields[7] == "00000000":
            return True
    # An unreachable default route of the loopback device (lo, metric ffffffff) is always there.
    return any(line.startswith("0" * 32 + " 00 ") and not line.rstrip().endswith(" lo") for line in text_of("/proc/net/ipv6_route").splitlines())


def read_addresses() -> t.List[str]:
    """Return the addresses of the host, that of the default route first."""
    found = [primary_address(socket.AF_INET, "192.0.2.1"), primary_address(socket.AF_INET6, "2001:db8::1")]
    status, text = output(["ip", "-j", "address"])
    for interface in json.loads(text) if status == 0 and text.strip() else []:
        found += [address["local"] for address in interface.get("addr_info", []) if address.get("scope") == "global"]
    return list(dict.fromkeys(address for address in found if address))


def primary_address(family: int, documentation_address: str) -> str:
    """Return the address that packets to elsewhere would carry; a datagram socket that is connected sends nothing."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((documentation_address, 9))
            return probe.getsockname()[0]
    except OSError:
        return ""


def free_mib(path: str) -> int:
    """Return the free space in MiB where a path lies or will lie."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    room = os.statvfs(path)
    return room.f_bavail * room.f_frsize >> 20


def memory_mib() -> int:
    found = re.search(r"^MemTotal:\s+(\d+) kB", text_of("/proc/meminfo"), re.MULTILINE)
    return int(found.group(1)) >> 10 if found else 0


def read_cgroups() -> t.List[str]:
    """Return the controllers that processes can be limited by."""
    unified = text_of("/sys/fs/cgroup/cgroup.controllers").split()
    listed = [line.split() for line in text_of("/proc/cgroups").splitlines() if not line.startswith("#")]
    return sorted(set(unified) | {fields[0] for fields in listed if len(fields) > 3 and fields[3] == "1"})


def read_node(distribution: Distribution, name: str) -> t.Optional[t.Dict[str, t.Any]]:
    """Return the host's own Node object, read with the kubelet's credentials; None when the API cannot be had."""
    command = [distribution.binary, "kubectl", "--kubeconfig", distribution.kubelet_kubeconfig, "get", "--raw", "/api/v1/nodes/" + name]
    status, text = output(command + ["--request-timeout", "10s"])
    try:
        return json.loads(text) if status == 0 else None
    except ValueError:
        return None


def read_journal(unit: str, lines: int = 40) -> str:
    """Return the last lines that a unit logged."""
    return output(["journalctl", "--no-pager", "-o", "cat", "-n", str(lines), "-u", unit])[1]
