# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of bare Debian hosts, made by mmdebstrap; their tag is a hash of the recipe, so that a changed recipe makes another image."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import typing as t
from pathlib import Path

from tests.hosts import engine, machine
from tests.hosts.machine import HostError, NotPossible

SUITES = ("bookworm", "trixie")
COMPONENTS = "main contrib non-free non-free-firmware"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

# What a server has after a usual installation, as far as roles may rely on it. nftables is part of it, iptables is not.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "python3", "python3-apt", "iproute2", "iputils-ping", "netbase", "nftables", "ca-certificates", "kmod", "procps",
            "openssh-server", "sudo", "curl", "gpg")

# Units that need hardware, a console or a kernel of the host's own.
_NOT_IN_CONTAINERS = ("systemd-udevd.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket", "systemd-modules-load.service",
                      "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "systemd-logind.service", "getty.target", "console-getty.service")
# Timers that would change files while a test compares them.
TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "dpkg-db-backup.timer")

# The machine's certificates, because its mirrors may be behind an authority of its own. Keys of hosts and the machine's identity
# are each host's own. The directory of the access file for ssh is made here, so that it has the right mode.
_HOOK = """set -e; cd "$1"
install -m 644 %(certificates)s etc/ssl/certs/ca-certificates.crt
for unit in %(masked)s; do ln -sf /dev/null "etc/systemd/system/$unit"; done
ln -sf /lib/systemd/system/multi-user.target etc/systemd/system/default.target
install -d -m 700 root/.ssh
rm -f etc/ssh/ssh_host_* etc/resolv.conf etc/hostname
: > etc/machine-id
"""


def hook(masked: t.Sequence[str]) -> str:
    """Return a script that finishes the file system named by its first argument."""
    return _HOOK % {"certificates": CERTIFICATES, "masked": " ".join(masked)}


HOOK = hook(_NOT_IN_CONTAINERS + TIMERS)

# A container that boots again keeps its network namespace, where a kernel starts with an empty one that forwards nothing.
BOOT = ("for link in $(ls /sys/class/net); do case $link in lo|eth0) ;; *) ip link delete $link 2>/dev/null ;; esac; done; nft flush ruleset; "
        "for family in ipv4/conf ipv6/conf; do echo 0 > /proc/sys/net/$family/all/forwarding; done 2>/dev/null; exec /lib/systemd/systemd")

CHANGES = ("CMD " + json.dumps(["/bin/sh", "-c", BOOT]), "ENV container=podman", "STOPSIGNAL SIGRTMIN+3")


def mirrors() -> t.Tuple[str, str]:
    """Return the mirrors of Debian and of its security updates that the machine's apt uses; empty where it has none."""
    done = machine.run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", check=False)
    found = {uri.rstrip("/").rsplit("/", 1)[-1]: uri.rstrip("/") for uri in reversed(done.stdout.split())}
    return found.get("debian", ""), found.get("debian-security", "")


def sources(suite: str, main: str, security: str) -> t.List[str]:
    """Return the lines of sources.list for a suite; none where the mirrors are unknown, and mmdebstrap takes its own."""
    if not main or not security:
        return []
    return ["deb %s %s %s" % (main, suite, COMPONENTS), "deb %s %s-updates %s" % (main, suite, COMPONENTS),
            "deb %s %s-security %s" % (security, suite, COMPONENTS)]


def tag(suite: str, lines: t.Sequence[str], certificates: bytes) -> str:
    """Return the name of the image that this recipe makes."""
    recipe = repr((suite, lines, PACKAGES, HOOK, CHANGES)).encode() + certificates
    return "localhost/gpuops-host:%s-%s" % (suite, hashlib.sha256(recipe).hexdigest()[:12])


def ensure(suite: str) -> str:
    """Return the name of a suite's image, made where it is missing: about a minute. Raises NotPossible where no mirror answers."""
    lines = sources(suite, *mirrors())
    name = tag(suite, lines, CERTIFICATES.read_bytes())
    with machine.locked(machine.cache_directory() / "images.lock"):
        if engine.image_podman("image", "exists", name, check=False).returncode:
            machine.say("making the image %s (about a minute, once)" % name)
            _build(suite, lines, name)
    return name


def _build(suite: str, lines: t.Sequence[str], name: str) -> None:
    with tempfile.TemporaryDirectory(dir=machine.cache_directory()) as scratch:
        archive = Path(scratch) / "host.tar"
        bootstrap(suite, lines, archive, PACKAGES, HOOK)
        engine.image_podman("import", *(word for change in CHANGES for word in ("--change", change)), archive, name)


def bootstrap(suite: str, lines: t.Sequence[str], archive: Path, packages: t.Sequence[str], hook: str) -> None:
    """Write the file system of a fresh Debian into an archive."""
    # Old times: package lists that are empty but look fresh would make ansible.builtin.apt with cache_valid_time skip its update.
    environment = dict(os.environ, SOURCE_DATE_EPOCH="1577836800")
    try:
        machine.run("mmdebstrap", "--quiet", "--variant=minbase", "--include=" + ",".join(packages), "--customize-hook=" + hook, suite, archive, *lines,
                    env=environment)
    except HostError as error:
        if "apt-get update" in str(error):
            mirror = lines[0].split()[1] if lines else "mmdebstrap's own mirror"
            raise NotPossible("Debian's package lists cannot be fetched from %s" % mirror) from error
        raise
