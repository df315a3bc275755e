# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take down what a host is like, and say later how it differs from that."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from tests.hosts import fleet, machine, records

Snapshot = t.Dict[str, t.Dict[str, str]]

ROOTS = ("/boot", "/etc", "/home", "/opt", records.HOME, "/srv", "/usr", "/var/lib", "/var/spool")
# Their content comes and goes; only the names of what lies in them are compared.
NAMES_IN = ("/run", "/var/log")

# Times are not looked at: a file that is written again with the same content is the same file.
LEFT_OUT: t.Dict[str, t.Dict[str, str]] = {
    "file": {
        "/etc/machine-id": "made at the first boot",
        "/etc/ld.so.cache": "follows the libraries, which are compared",
        "/etc/passwd-": "the state before the last change", "/etc/shadow-": "the same", "/etc/group-": "the same", "/etc/gshadow-": "the same",
        "/etc/subuid-": "the same", "/etc/subgid-": "the same",
        records.HOME + "/.ansible": "Ansible works there", records.HOME + "/.ansible_async": "the same",
        records.HOME + "/.bash_history": "what was typed",
        "/usr/*/__pycache__": "compiled at the first use", "/var/lib/*/__pycache__": "the same",
        "/var/lib/apt": "lists of packages, and which of them came by themselves",
        "/var/lib/dpkg": "compared as packages",
        "/var/lib/systemd/random-seed": "random", "/var/lib/systemd/timers": "times of the last runs",
        "/var/lib/systemd/catalog": "follows the packages", "/var/lib/systemd/timesync": "the time of the last contact",
        "/var/lib/systemd/linger": "logins", "/var/lib/systemd/coredump": "dumps",
        "/var/lib/private": "state of systemd's own services",
        "/var/lib/sudo": "who was lectured", "/var/lib/logrotate*": "times of the last runs", "/var/lib/ntpsec": "clock drift",
        "/var/lib/chrony": "clock drift", "/var/lib/dhcp*": "leases",
    },
    "name": {
        "/run/utmp": "logins", "/run/user": "logins", "/run/sudo": "logins", "/run/nologin": "exists while the host boots", "/run/motd*": "made at a login",
        "/run/sshd*": "exists while sshd runs", "/run/initramfs": "exists after some boots", "/run/shutdown*": "exists while the host ends",
        "/run/systemd": "compared as units", "/run/udev": "hardware", "/run/blkid": "a cache",
        "/var/log/[bw]tmp*": "logins", "/var/log/lastlog": "logins", "/var/log/*.[0-9]*": "rotated", "/var/log/*.log": "logs", "/var/log/journal": "logs",
    },
    "unit file": {"session-*.scope": "logins", "user*": "logins", "*.slice": "groups, not services"},
    "active unit": {
        "user*": "logins", "systemd-hostnamed.service": "ends when idle", "systemd-timedated.service": "ends when idle",
        "systemd-localed.service": "ends when idle", "systemd-tmpfiles-clean.service": "runs now and then",
        "ssh@*.service": "logins", "sshd@*.service": "logins", "run-*": "transient",
        "polkit.service": "started on demand", "packagekit.service": "started on demand",
    },
    "process": {
        "(sd-pam)": "logins", "(sd-*": "starts of services", "systemd-hostnam*": "ends when idle", "systemd-timedat*": "ends when idle",
        "systemd-localed": "ends when idle", "(udev-worker)": "hardware", "systemd-tmpfile*": "runs now and then", "polkitd": "started on demand",
        "systemd-userwor*": "logins", "agetty": "the console", "apt.systemd.dai*": "runs now and then", "apt-helper": "runs now and then",
    },
    "mount": {"/run/credentials/*": "exists while services start", "/run/user/*": "logins", "/proc/sys/fs/binfmt_misc": "mounted at the first look at it"},
    "port": {"udp *:68": "DHCP, now and then"},
}

# What roles set, or what Kubernetes sets by itself.
SYSCTLS = (
    "fs/inotify/max_user_instances", "fs/inotify/max_user_watches", "kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys",
    "kernel/panic", "kernel/panic_on_oops", "net/bridge/bridge-nf-call-ip6tables", "net/bridge/bridge-nf-call-iptables", "net/core/somaxconn",
    "net/ipv4/conf/all/forwarding",
    "net/ipv4/conf/all/route_localnet", "net/ipv4/conf/all/rp_filter", "net/ipv4/conf/default/forwarding", "net/ipv4/conf/default/rp_filter",
    "net/ipv4/ip_forward", "net/ipv4/ip_local_reserved_ports", "net/ipv4/vs/conntrack", "net/ipv6/conf/all/disable_ipv6", "net/ipv6/conf/all/forwarding",
    "net/ipv6/conf/default/forwarding", "net/netfilter/nf_conntrack_max", "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
    "net/netfilter/nf_conntrack_tcp_timeout_established", "vm/max_map_count", "vm/overcommit_memory", "vm/panic_on_oom", "vm/swappiness",
)


def take(host: records.Host) -> Snapshot:
    """Return what the host is like, by category and name; takes about a second."""
    arguments = {"roots": ROOTS, "names_in": NAMES_IN, "sysctls": SYSCTLS, "left_out": {category: list(each) for category, each in LEFT_OUT.items()}}
    script = (Path(__file__).parent / "probe.py").read_text(encoding="utf-8")
    return json.loads(fleet.run(host, "python3", "-", json.dumps(arguments), input=script).stdout)


def save(snapshot: Snapshot, path: Path) -> None:
    """Write a snapshot."""
    path.write_text(json.dumps(snapshot, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def load(path: Path) -> Snapshot:
    """Read a snapshot. Raises HostError where the file is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise machine.HostError("%s is no snapshot: %s" % (path, error)) from error


def differences(before: Snapshot, after: Snapshot) -> t.List[str]:
    """Return every difference in a line of its own, in the order of categories and names; what came first."""
    lines = []
    for category in sorted({*before, *after}):
        old, new = before.get(category, {}), after.get(category, {})
        for name in sorted({*old, *new}):
            if name not in old:
                lines.append("%s %s: added: %s" % (category, name, new[name]))
            elif name not in new:
                lines.append("%s %s: removed: %s" % (category, name, old[name]))
            elif old[name] != new[name]:
                lines.append("%s %s: changed: %s => %s" % (category, name, old[name], new[name]))
    return lines
