# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""The hosts of one cluster against each other: what each of them cannot know alone. No I/O.

A record of a host is a mapping with C(name) and C(node_type) (server or agent), and as far as it is known C(groups) (both types when the inventory has the
host twice), C(first), C(joined), C(servers) (all of the inventory), C(hostname), C(node_name), C(machine_id), C(addresses), C(time) (seconds that its clock
is ahead of the controller's), C(installed) (server, agent or none), C(version_running), C(version_wanted), C(api_address), C(has_token), C(joining) (what
speaks against its joining, as fields of problems), and C(config), the final configuration.
"""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_keys import DEFAULTS, KEYS
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_labels, kube_versions
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.kube_text import HIDDEN, is_address, is_name, split

Record = t.Mapping[str, t.Any]
Records = t.Sequence[Record]

# Certificates of a new cluster are valid from the first server's present on: a host that is behind refuses them.
CLOCK_SKEW = 30.0


def problems(hosts: Records, prefix: str = "", clock_skew: float = CLOCK_SKEW, distribution: str = "k3s") -> t.List[Problem]:
    """Return what speaks against these hosts as one cluster.

    :param prefix: what stands before our options in problems, so that a role's user reads the role's variables.
    :param clock_skew: how many seconds the clocks of two hosts may differ.
    """
    servers = [host for host in hosts if host["node_type"] == "server"]
    agents = [host for host in hosts if host["node_type"] == "agent"]
    found = _membership(hosts, servers, prefix)
    found += _joining(hosts, prefix)
    found += _second_cluster(servers)
    found += _names(hosts, prefix)
    found += _clocks(hosts, clock_skew, prefix)
    found += _addresses(hosts, servers, prefix)
    found += _agreement(servers, distribution)
    found += _quorum(servers, prefix)
    found += _versions(servers, agents, prefix)
    for host in hosts:
        found += [_of(host, problem) for problem in kube_labels.problems(host.get("config") or {}, prefix)]
    return found


def _of(host: Record, problem: Problem) -> Problem:
    return problem._replace(path="%s of host %s" % (problem.path, host["name"]))


def _membership(hosts: Records, servers: Records, prefix: str) -> t.List[Problem]:
    """Compare what hosts are with what they are to become."""
    found = []
    for host in hosts:
        twice = sorted(set(host.get("groups") or []))
        if len(twice) > 1:
            rule = "it is in several groups of nodes: a server runs the agent as well, and needs no other"
            found.append(Problem("host %s" % host["name"], twice, rule, "leave it in one of them"))
        installed = host.get("installed")
        if installed and installed != host["node_type"]:
            rule = "it is installed as %s, and a host does not change its part" % _a(installed)
            fix = "remove it from the cluster first (%sstate: absent), or move it to the group of the %ss" % (prefix, installed)
            found.append(Problem("host %s" % host["name"], host["node_type"], rule, fix))
    if hosts and not servers and not any(host.get("api_address") for host in hosts):
        fix = "put a host into the group of the servers, or set %sapi_address and %stoken to join a cluster that is there" % (prefix, prefix)
        found.append(Problem("servers", [], "the cluster has none", fix))
    return found


def _joining(hosts: Records, prefix: str) -> t.List[Problem]:
    """Look at a cluster that has to be there already, because its first server takes no part."""
    if any(host.get("first") for host in hosts):
        return []
    found = []
    without = [host["name"] for host in hosts if host.get("has_token") is False]
    if without:
        rule = "the first server takes no part in this run, and the token of its cluster is not known on %s" % ", ".join(without)
        fix = "set %stoken to the content of the file node-token of a server, or have the first server take part" % prefix
        found.append(Problem(prefix + "token", "", rule, fix))
    for host in hosts:
        found += [_of(host, Problem(**problem)) for problem in host.get("joining") or []]
    return found


def _second_cluster(servers: Records) -> t.List[Problem]:
    """Look for a first server that would start a cluster where there is one."""
    found = []
    for first in servers:
        if not first.get("first") or first.get("joined") is not False or (first.get("config") or {}).get("datastore-endpoint"):
            continue
        there = [server["name"] for server in servers if server.get("joined")]
        absent = [name for name in first.get("servers") or [] if name not in [server["name"] for server in servers]]
        path = "host %s" % first["name"]
        if there:
            rule = "it is new and the first of the servers, and the cluster of %s is there: it would start another one" % ", ".join(there)
            found.append(Problem(path, "server", rule, "put it behind %s in the inventory" % there[-1]))
        elif absent:
            rule = "it is new and the first of the servers, and it is not known whether %s have a cluster: it would start another one" % ", ".join(absent)
            found.append(Problem(path, "server", rule, "have all servers take part in the run, or put it behind those that have a cluster"))
    return found


def _a(node_type: str) -> str:
    return "an agent" if node_type == "agent" else "a %s" % node_type


def _names(hosts: Records, prefix: str) -> t.List[Problem]:
    """Find hosts that are the same one, or that would be the same node."""
    found = []
    node_fix = "give one of them another name, or set %snode_name" % prefix
    clone_fix = "make the copy one of its own: empty /etc/machine-id and restart it (systemd-machine-id-setup)"
    checks = (
        ("node name", _node_name, "two nodes of one name: the second is refused by the first one's node password", node_fix),
        ("machine-id", lambda host: host.get("machine_id"), "one is a copy of the other, and they may get the same addresses", clone_fix),
        ("address", _address, "two names of the inventory lead to one host, or two hosts have one address", "leave one of them in the inventory"),
    )
    for what, key, rule, fix in checks:
        for value, names in _grouped(hosts, key):
            found.append(Problem("%s of %s" % (what, " and ".join(names)), value, rule, fix))
    return found


def _node_name(host: Record) -> t.Optional[str]:
    """Return the name that a host registers by; None where it is made unique by an id."""
    config = host.get("config") or {}
    if config.get("with-node-id"):
        return None
    return str(config.get("node-name") or host.get("node_name") or host.get("hostname") or "").lower()


def _address(host: Record) -> t.Optional[str]:
    return (split(host.get("addresses")) or [None])[0]


def _grouped(hosts: Records, key: t.Callable[[Record], t.Optional[str]]) -> t.List[t.Tuple[str, t.List[str]]]:
    """Return each value that several hosts have, with their names."""
    names: t.Dict[str, t.List[str]] = {}
    for host in hosts:
        value = key(host)
        if value:
            names.setdefault(value, []).append(host["name"])
    return [(value, found) for value, found in sorted(names.items()) if len(found) > 1]


def _clocks(hosts: Records, clock_skew: float, prefix: str) -> t.List[Problem]:
    """Compare the clocks of the hosts that differ most."""
    known = sorted((host["time"], host["name"]) for host in hosts if host.get("time") is not None)
    if len(known) < 2 or known[-1][0] - known[0][0] <= clock_skew:
        return []
    (behind, slow), (ahead, fast) = known[0], known[-1]
    rule = "%s is that far ahead of %s, and at most %g s are allowed: certificates would not be valid yet, and etcd suffers" % (fast, slow, clock_skew)
    fix = "set the clocks by NTP (chrony, systemd-timesyncd), or raise %sclock_skew" % prefix
    return [Problem("clocks of %s and %s" % (slow, fast), "%.1f s" % (ahead - behind), rule, fix)]


def _addresses(hosts: Records, servers: Records, prefix: str) -> t.List[Problem]:
    """Check the address under which everybody reaches the API."""
    path = prefix + "api_address"
    given = sorted({str(host["api_address"]) for host in hosts if host.get("api_address")})
    if len(given) > 1:
        return [Problem(path, given, "the hosts of one cluster have different ones", "set one for all of them")]
    if not given:
        return []
    (address,) = given
    if not (is_address(address) or is_name(address)):
        return [Problem(path, address, "neither an address nor a name", "write it without https:// and without a port; the port is %sapi_port" % prefix)]
    found = []
    for server in servers:
        names = [name.lower() for name in split((server.get("config") or {}).get("tls-san"))]
        if server.get("config") is not None and address.lower() not in names:
            rule = "the certificate of server %s is not for it, so that nobody who checks could connect" % server["name"]
            found.append(Problem(path, address, rule, "add it to %stls_san" % prefix))
    return found


def _agreement(servers: Records, distribution: str) -> t.List[Problem]:
    """Compare what has to be the same on all servers: a server that differs is refused when it joins."""
    found = []
    known = [server for server in servers if server.get("config") is not None]
    for key, entry in sorted(KEYS[distribution].items()):
        if entry.critical:
            found += _difference(known, key, lambda server, key=key: _critical(server["config"], key), entry.secret)
    return found + _difference(known, "disable: [servicelb]", lambda server: "servicelb" in split(server["config"].get("disable")), False)


def _critical(config: t.Mapping[str, t.Any], key: str) -> t.Any:
    """Return a value in a form that can be compared."""
    default = DEFAULTS.get(key, False)
    value = config.get(key, default)
    return split(value) if isinstance(default, list) else value


def _difference(servers: Records, key: str, value: t.Callable[[Record], t.Any], secret: bool) -> t.List[Problem]:
    for one, other in zip(servers, servers[1:]):
        first, second = value(one), value(other)
        if first != second:
            shown = {one["name"]: HIDDEN, other["name"]: HIDDEN} if secret else {one["name"]: first, other["name"]: second}
            rule = "it has to be the same on all servers, and %s and %s differ: the second is refused when it joins" % (one["name"], other["name"])
            return [Problem(key, shown, rule, "set it once for all servers")]
    return []


def _quorum(servers: Records, prefix: str) -> t.List[Problem]:
    """Look at who starts the cluster, and whether it survives the loss of a server."""
    found = []
    for what, claim in (("first", lambda server: server.get("first")), ("cluster-init", lambda server: (server.get("config") or {}).get("cluster-init"))):
        names = [server["name"] for server in servers if claim(server)]
        if len(names) > 1:
            rule = "more than one server would start a cluster of its own"
            found.append(Problem("%s of %s" % (what, " and ".join(names)), names, rule, "let one of them start it, and the others join"))
    etcd = [server["name"] for server in servers if not (server.get("config") or {}).get("datastore-endpoint")]
    if len(etcd) > 1 and len(etcd) % 2 == 0:
        lost = (len(etcd) - 1) // 2
        rule = "etcd on %d servers survives the loss of %d, as it would on %d" % (len(etcd), lost, len(etcd) - 1)
        found.append(Problem("servers", etcd, rule, "use an odd number of servers, or %sdatastore_endpoint" % prefix, "warn"))
    return found


def _versions(servers: Records, agents: Records, prefix: str) -> t.List[Problem]:
    """Compare the versions that hosts are to have. What does not parse is told per host."""
    wanted = {host["name"]: host["version_wanted"] for host in itertools.chain(servers, agents) if _is_version(host.get("version_wanted"))}
    found = []
    known = [server["name"] for server in servers if server["name"] in wanted]
    for one, other in zip(known, known[1:]):
        if wanted[one] != wanted[other]:
            shown = {one: wanted[one], other: wanted[other]}
            found.append(Problem(prefix + "version", shown, "the servers are to have different versions", "set one for all of them"))
            break
    for agent in agents:
        for server in known if agent["name"] in wanted else []:
            skew = kube_versions.agent_skew(wanted[agent["name"]], wanted[server])
            if skew:
                found.append(Problem("%sversion of host %s" % (prefix, agent["name"]), wanted[agent["name"]], skew.text, skew.fix))
                break
    return found


def _is_version(text: t.Any) -> bool:
    try:
        return bool(kube_versions.parse(text or ""))
    except ValueError:
        return False
