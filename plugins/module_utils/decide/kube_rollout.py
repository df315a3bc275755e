# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""The hosts of one cluster together: in which order they change, and what is handed from one to the others. No I/O."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.maintenance_labels import label_changes, taint_changes

SUM = re.compile(r"([0-9a-f]{64})\s+\*?(?:\./)?(\S+)")


def batches(hosts: t.Sequence[t.Dict[str, t.Any]], agents_at_once: int) -> t.List[t.List[str]]:
    """Return which hosts change together, batch after batch: servers one by one with the first one first, then agents.

    Agents that only start can do so all at once; of those that restart, so many at a time.

    :param hosts: records with name, node_type, first, changed and restarts
    """
    changed = [host for host in hosts if host["changed"]]
    servers = sorted((host for host in changed if host["node_type"] == "server"), key=lambda host: not host["first"])
    agents = [host for host in changed if host["node_type"] == "agent"]
    restarting = [host["name"] for host in agents if host["restarts"]]
    starting = [host["name"] for host in agents if not host["restarts"]]
    found = [[host["name"]] for host in servers]
    found += [starting] * bool(starting)
    size = max(1, agents_at_once)
    return found + [restarting[start : start + size] for start in range(0, len(restarting), size)]


def checksums(text: str) -> t.Dict[str, str]:
    """Return the SHA-256 of each file that a list of checksums names, as sha256sum prints it."""
    return {match.group(2): match.group(1) for match in map(SUM.match, text.splitlines()) if match}


def kubeconfig(found: t.Any, server: str, name: str) -> t.Dict[str, t.Any]:
    """Return a server's kubeconfig for use elsewhere: with the address of the API, and cluster, user and context called by the cluster's name.

    Raises: GpuOpsError when it is not the kubeconfig of one cluster.
    """
    try:
        (cluster,), (user,) = found["clusters"], found["users"]
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": dict(cluster["cluster"], server=server)}],
            "users": [{"name": name, "user": user["user"]}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
    except (KeyError, TypeError, ValueError):
        # The cause would show a part of the file, which holds a key.
        raise GpuOpsError("The kubeconfig of the server is not that of one cluster and one user. Fix: see what has written it.") from None


def label_groups(hosts: t.Sequence[t.Dict[str, t.Any]]) -> t.List[t.Dict[str, t.Any]]:
    """Return the nodes that get the same labels and taints together, so that one call writes them.

    Left out are hosts without a node, and nodes that were seen with what they are to get.

    :param hosts: records with node, labels (a map), taints (maps with key, value and effect), changed, and carries, which kube_status.carried() returns
    """
    groups: t.Dict[str, t.Dict[str, t.Any]] = {}
    for host in hosts:
        if host["node"] and not is_labelled(host):
            key = json.dumps([host["labels"], host["taints"]], sort_keys=True)
            groups.setdefault(key, {"labels": host["labels"], "taints": host["taints"], "nodes": []})["nodes"].append(host["node"])
    return [dict(group, nodes=sorted(group["nodes"])) for key, group in sorted(groups.items())]


def is_labelled(host: t.Dict[str, t.Any]) -> bool:
    """Return whether a node that is left as it is has been seen with the labels and taints that it is to get, and with our notes about them."""
    if host.get("changed") or not host.get("carries"):
        return False
    taints = [dict(taint, state="present") for taint in host["taints"]]
    return not label_changes(host["carries"], host["labels"], True) and not taint_changes(host["carries"], taints, True)
