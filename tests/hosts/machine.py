# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine under the hosts: its places, its programs, and what it must be able to do."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import paths

# Program or file, and the Debian package that brings it.
PACKAGES = {
    "podman": "podman", "runc": "runc", "iptables": "iptables", "mmdebstrap": "mmdebstrap", "ssh": "openssh-client", "nsenter": "util-linux",
    "/usr/lib/podman/netavark": "netavark", "/usr/lib/podman/aardvark-dns": "aardvark-dns",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
# The same for hosts that are virtual machines, installed when one is asked for.
VM_PACKAGES = {"qemu-system-x86_64": "qemu-system-x86", "mke2fs": "e2fsprogs", "debugfs": "e2fsprogs", "ip": "iproute2"}

_threads = threading.local()


class HostError(Exception):
    """A host, or what it stands on, failed."""


class NotPossible(HostError):
    """This machine cannot have test hosts; the text is the reason, in one line."""


def state_directory() -> Path:
    """Return where the hosts of this user are recorded, with their keys and file systems."""
    return paths.make_private(paths.state_root().parent / "hosts")


def cache_directory() -> Path:
    """Return where images are kept."""
    directory = paths.cache_root() / "hosts"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def run_directory() -> Path:
    """Return what lasts until the machine ends; short, because sockets lie in it, and one for each state directory."""
    return Path("/run/gpuops-hosts") / hashlib.sha256(str(state_directory()).encode()).hexdigest()[:8]


def say(text: str) -> None:
    """Print progress where it does not mix with a result."""
    print("-- " + text, file=sys.stderr, flush=True)


def run(*command: t.Any, check: bool = True, called: str = "", **options: t.Any) -> subprocess.CompletedProcess:
    """Run a command and return it with its output as text. Raises HostError, which calls it so, where it fails and check is true."""
    words = [str(word) for word in command]
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("text", True)
    done = subprocess.run(words, check=False, **options)
    if check and done.returncode:
        said = done.stderr or b""
        raise HostError("%s ended with %d: %s" % (called or " ".join(words), done.returncode, (said if isinstance(said, str) else said.decode()).strip()))
    return done


@contextlib.contextmanager
def locked(path: Path) -> t.Iterator[None]:
    """Keep other runs and threads out; a thread that has the lock may take it again."""
    held = _threads.__dict__.setdefault("held", set())
    if path in held:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        held.add(path)
        try:
            yield
        finally:
            held.discard(path)


def require(packages: t.Mapping[str, str]) -> None:
    """Install what is missing. Raises NotPossible where that, or the kernel, rules test hosts out."""
    if os.geteuid() != 0:
        raise NotPossible("test hosts need root: they have namespaces, mounts and a bridge")
    if "\tcgroup2" not in Path("/proc/filesystems").read_text(encoding="utf-8"):
        raise NotPossible("the kernel has no cgroup2, which systemd in the hosts needs")
    with locked(cache_directory() / "packages.lock"):
        missing = sorted({package for program, package in packages.items() if not shutil.which(program) and not Path(program).is_file()})
        if not missing:
            return
        if not shutil.which("apt-get"):
            raise NotPossible("missing, and there is no apt-get to install them with: " + " ".join(missing))
        say("installing " + " ".join(missing))
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        for words in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *missing]):
            done = run("apt-get", "-o", "DPkg::Lock::Timeout=300", *words, check=False, env=environment)
            if done.returncode:
                reason = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
                raise NotPossible("apt-get cannot install %s: %s" % (" ".join(missing), reason))
