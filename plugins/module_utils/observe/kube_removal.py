# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Read what of a distribution is left on a host, running or not, for its removal. Nothing missing is an error."""

from __future__ import annotations

import json
import os
import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_distributions import UNIT_DIRECTORY, Distribution
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_removal
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.kube_node import output, read_file, text_of

INTERFACES = re.compile(r"cni0|flannel[.-](?:1|v6\.1|wg|wg-v6)|kube-ipvs0")
MOUNTS = ("/run/k3s", "/var/lib/kubelet", "/run/netns/cni-")


class Remains(t.NamedTuple):
    """What is there. C(tables) are the saved rules of each of iptables and ip6tables that has some of ours."""

    units: t.List[str]
    processes: t.List[int]
    mounts: t.List[str]
    interfaces: t.List[str]
    namespaces: t.List[str]
    tables: t.Dict[str, str]
    paths: t.List[str]


def read_remains(distribution: Distribution) -> Remains:
    """Return what of a distribution is left on this host."""
    units = [unit for unit in sorted(set(distribution.units.values())) if os.path.lexists(os.path.join(UNIT_DIRECTORY, unit))]
    return Remains(
        units=units,
        processes=read_processes(distribution),
        mounts=sorted((path for path in mounted() if path.startswith(MOUNTS)), reverse=True),
        interfaces=read_interfaces(),
        namespaces=[name for name in listed("/run/netns") if name.startswith("cni-")],
        tables=read_tables(),
        paths=read_paths(distribution, units),
    )


def read_processes(distribution: Distribution) -> t.List[int]:
    """Return the processes that outlive the service: the shims of containers, and what is below them."""
    parents: t.Dict[int, int] = {}
    roots = []
    for entry in listed("/proc"):
        if not entry.isdigit():
            continue
        words = text_of("/proc/%s/cmdline" % entry).split("\0")
        found = text_of("/proc/%s/stat" % entry).rpartition(")")[2].split()
        if len(found) > 1:
            parents[int(entry)] = int(found[1])
        if words[0].startswith(distribution.data + "/data/") and "containerd-shim" in words[0]:
            roots.append(int(entry))
    family = set(roots)
    grown = True
    while grown:
        more = {child for child, parent in parents.items() if parent in family} - family
        grown = bool(more)
        family |= more
    return sorted(family)


def mounted() -> t.List[str]:
    """Return the mount points of this host."""
    lines = [line.split() for line in text_of("/proc/self/mounts").splitlines()]
    return [fields[1].replace("\\040", " ") for fields in lines if len(fields) > 1]


def read_interfaces() -> t.List[str]:
    """Return the network interfaces that the distribution makes, and those that hang on its bridge."""
    status, text = output(["ip", "-j", "link"])
    links = json.loads(text) if status == 0 and text.strip() else []
    return [link["ifname"] for link in links if INTERFACES.fullmatch(link["ifname"]) or link.get("master") == "cni0"]


def read_tables() -> t.Dict[str, str]:
    """Return the saved rules of iptables and ip6tables, as far as there are some of Kubernetes among them."""
    saved = {name: output([name + "-save"])[1] for name in ("iptables", "ip6tables")}
    return {name: text for name, text in saved.items() if kube_removal.without_rules(text) != text}


def read_paths(distribution: Distribution, units: t.List[str]) -> t.List[str]:
    """Return the files and directories that are to go; a directory that others share goes only when nothing else is in it."""
    wanted = [os.path.join(UNIT_DIRECTORY, unit) for unit in units]
    wanted += [os.path.join(UNIT_DIRECTORY, unit + ".env") for unit in sorted(set(distribution.units.values()))]
    wanted += distribution.leavings + [distribution.binary]
    there = [path for path in wanted if os.path.lexists(path)]
    target = os.path.basename(distribution.binary)
    links = {path: read_file(path) for path in sorted(distribution.links.values())}
    return there + [path for path, file in links.items() if file.kind == "link" and file.text in (target, distribution.binary)]


def listed(directory: str) -> t.List[str]:
    """Return the names in a directory, sorted; none when it cannot be read."""
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []
