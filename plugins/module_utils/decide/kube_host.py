# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""What speaks against making a host a node, told before anything is changed. No I/O."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_hosts import SYSCTLS
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_hosts, kube_tokens
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.kube_node import Desired

# What a user may decide to know better about.
IGNORABLE = ("disk", "firewall", "memory", "os", "selinux", "swap")
# Kubernetes evicts pods below 10 % or so of the disk; images and the program alone take some 2 GiB.
MINIMUM_FREE_MIB = 4096
# What the documentation of k3s names as the least for an agent and for a server.
MINIMUM_MEMORY_MIB = {"agent": 480, "server": 1900}
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")


def problems(current: t.Any, desired: Desired, node_name: str, ignored: t.Sequence[str], prefix: str) -> t.List[Problem]:
    """Return everything that speaks against this host, refusals and warnings.

    :param current: what M(observe.kube_node.read_current) returns
    :param ignored: checks of C(IGNORABLE) that the user has taken upon himself
    """
    found = kind_problems(current, desired, prefix) + release_problems(current, desired, prefix)
    found += token_problems(current, desired, prefix)
    found += [problem for check, problem in host_problems(current, desired, node_name, prefix) if check not in ignored]
    return found


def kind_problems(current: t.Any, desired: Desired, prefix: str) -> t.List[Problem]:
    """Return a refusal where the host is a node of the other type, or has a stranger on its ports."""
    found = []
    for other in current.types:
        if other != desired.node_type:
            rule = "this host is a%s %s already (%s)" % ("n" * (other == "agent"), other, desired.distribution.units[other])
            found.append(Problem(prefix + "node_type", desired.node_type, rule, "remove it there first (%sstate: absent), or leave it what it is" % prefix))
    ports = desired.distribution.ports[desired.node_type]
    for port in current.host.get("busy", []):
        fix = "end what listens there (ss -ltnp sport = :%d), or remove what is left of another cluster" % port
        found.append(Problem("port", port, "taken on this host, and needed for the %s" % ports[port], fix))
    return found


def release_problems(current: t.Any, desired: Desired, prefix: str) -> t.List[Problem]:
    """Return a refusal where there is no program for this host."""
    names = desired.distribution.artifacts.get(current.host["architecture"])
    if not names or desired.checksum:
        return []
    rule = "where the artefacts are, this version has no checksum of %s, which is the program for %s" % (names["binary"], current.host["architecture"])
    fix = "name a version that is there, with its %s" % names["checksums"]
    return [Problem(prefix + "version", desired.version, rule, fix)]


def token_problems(current: t.Any, desired: Desired, prefix: str) -> t.List[Problem]:
    """Return a refusal where a node that has joined is given another token; no token is ever part of the text."""
    file = current.files.get(desired.distribution.token)
    if desired.token is None or not current.joined or not file or not file.text.strip():
        return []
    if kube_tokens.parse(file.text.strip()).secret == kube_tokens.parse(desired.token).secret:
        return []
    fix = "leave %stoken as it was; the token of a cluster is changed on its servers (%s token rotate)" % (prefix, desired.distribution.name)
    return [Problem(prefix + "token", "***", "another one than this host has joined with", fix)]


def missing_token(prefix: str) -> t.List[Problem]:
    """Return the refusal of a host that has nothing to join its cluster with."""
    fix = "set %stoken, or have the cluster's first server take part in the run" % prefix
    return [Problem(prefix + "token", "", "this host has no token to join its cluster with", fix)]


def host_problems(current: t.Any, desired: Desired, node_name: str, prefix: str) -> t.Iterator[t.Tuple[str, Problem]]:
    """Yield the name of a check with what it has found."""
    host = current.host
    for problem in kube_hosts.host_support(host, desired.distribution.name).problems:
        yield "architecture" if problem.path == "architecture" else "os", problem
    if not host["systemd"]:
        yield "systemd", Problem("init", host["os_name"], "systemd does not run here", "use a host that boots with systemd")
    if not NAME.fullmatch(node_name):
        fix = "give the host another name, or set %snode_name to one" % prefix
        yield "name", Problem("name of the node", node_name, "no name for a node: lower case letters, digits, dashes and dots, at most 63", fix)
    if not host["default_route"]:
        fix = "add one; for a host that is to reach nothing, one to a dummy interface is enough"
        yield "route", Problem("default route", None, "%s does not start without one" % desired.distribution.name, fix)
    if host["swaps"]:
        fix = "swapoff -a and take it out of /etc/fstab, or add swap to %signored_checks: the memory limits of pods then mean less" % prefix
        yield "swap", Problem("swap", host["swaps"], "kubelet does not count swapped memory", fix)
    if host["free_mib"] < MINIMUM_FREE_MIB and not current.joined:
        fix = "make room, or add disk to %signored_checks" % prefix
        yield "disk", Problem("free space", "%d MiB" % host["free_mib"], "%s needs %d MiB" % (desired.distribution.data, MINIMUM_FREE_MIB), fix)
    least = MINIMUM_MEMORY_MIB[desired.node_type]
    if host["memory_mib"] < least:
        fix = "give the host more, or add memory to %signored_checks" % prefix
        yield "memory", Problem("memory", "%d MiB" % host["memory_mib"], "a%s %s needs %d MiB" % ("n" * (least < 1000), desired.node_type, least), fix)
    if "memory" not in host["cgroups"]:
        fix = "boot with cgroup_enable=memory (older kernels: cgroup_memory=1 too)"
        yield "cgroups", Problem("cgroup controllers", host["cgroups"], "kubelet limits pods by the controller memory", fix)
    if host["selinux"] and not re.search(r"^selinux: true$", desired.config, re.MULTILINE):
        fix = "set %sselinux, or add selinux to %signored_checks" % (prefix, prefix)
        yield "selinux", Problem("SELinux", "enforcing", "containers need labels, and the policy of %s" % desired.distribution.name, fix)
    for path in current.foreign:
        rule = "%s reads it beside what this role writes, and what it says may win" % desired.distribution.name
        yield "foreign", Problem("file of others", path, rule, "remove it, and set what it says in %sconfig_host" % prefix, "warn")
    for problem in firewall_problems(host, desired, prefix):
        yield "firewall", problem
    for problem in sysctl_warnings(host):
        yield "sysctls", problem


def firewall_problems(host: t.Dict[str, t.Any], desired: Desired, prefix: str) -> t.Iterator[Problem]:
    """Yield what an active firewall or NetworkManager would do to the cluster. We explain, and switch nothing off."""
    ports = [port.number for port in kube_hosts.ports(desired.node_type, {})]
    for name in ("firewalld", "ufw"):
        if name in host["services"]:
            fix = "open %s and the networks of pods and services there, then add firewall to %signored_checks" % (", ".join(ports), prefix)
            yield Problem(name, "active", "it drops what nodes and pods send each other unless told otherwise", fix)
    if "NetworkManager" in host["services"]:
        fix = "keep it off cni* and flannel*: /etc/NetworkManager/conf.d/, [keyfile] unmanaged-devices=interface-name:cni*;interface-name:flannel*"
        yield Problem("NetworkManager", "active", "it may take over the interfaces of pods", fix, "warn")


def sysctl_warnings(host: t.Dict[str, t.Any]) -> t.Iterator[Problem]:
    """Yield limits that many pods on one node run into."""
    for name, least in sorted(SYSCTLS.items()):
        value = host["sysctls"].get(name, "")
        if value.isdigit() and int(value) < least:
            yield Problem(name, int(value), "GPU validators and many pods need %d" % least, "set it in /etc/sysctl.d/", "warn")
