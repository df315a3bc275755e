# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""What maintenance reads: nodes, the pods on them, and PodDisruptionBudgets, as small plain records."""

from __future__ import annotations

import concurrent.futures
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.pages import list_items
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.nodes import NODES, OWNED_LABELS, PODS
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.sharing import found

BUDGETS = "/apis/policy/v1/poddisruptionbudgets"
ETCD = "node-role.kubernetes.io/etcd=true"
MIRROR = "kubernetes.io/config.mirror"
ANNOTATIONS = "gpuops.kubernetes/"


def read_nodes(connection: Connection, names: t.Sequence[str], concurrency: int) -> t.Dict[str, t.Optional[dict]]:
    """Return the record of each node by name, None for one that the cluster does not know."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, min(concurrency, len(names)))) as pool:
        answers = pool.map(lambda name: found(connection, "%s/%s" % (NODES, name)), names)
        return {name: node_record(node) if node else None for name, node in zip(names, answers)}


def read_etcd_nodes(connection: Connection) -> t.Dict[str, t.Optional[dict]]:
    """Return the record of each node with a member of etcd by name."""
    return {record["name"]: record for record in list_items(connection, NODES, {"labelSelector": ETCD}, node_record)}


def node_record(node: dict) -> dict:
    """Return what maintenance has to know of a node. C(missing) names those of its maps that do not exist, which a JSON Patch has to make first."""
    metadata, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
    annotations = metadata.get("annotations") or {}
    return {
        "name": metadata["name"],
        "unschedulable": bool(spec.get("unschedulable")),
        "annotations": {key: value for key, value in annotations.items() if key.startswith(ANNOTATIONS)},
        "labels": metadata.get("labels") or {},
        "taints": spec.get("taints") or [],
        "missing": [key for key in ("annotations", "labels") if not metadata.get(key)],
        "shared_labels": [key for key in annotations.get(OWNED_LABELS, "").split(",") if key],
        "conditions": {condition["type"]: condition for condition in status.get("conditions") or ()},
        "version": (status.get("nodeInfo") or {}).get("kubeletVersion", ""),
    }


def read_pods(connection: Connection, names: t.Sequence[str]) -> t.List[dict]:
    """Return the record of each pod on these nodes, in the order of the nodes and then by name."""
    pods: t.List[dict] = []
    for name in names:
        on_node = list_items(connection, PODS, {"fieldSelector": "spec.nodeName=%s" % name}, pod_record)
        pods += sorted(on_node, key=lambda pod: (pod["namespace"], pod["name"]))
    return pods


def pod_record(pod: dict) -> dict:
    """Return what a drain has to know of a pod. C(controller) is the kind of what would make it again, C(terminating) since when it ends."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    owners = [owner["kind"] for owner in metadata.get("ownerReferences") or () if owner.get("controller")]
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "node": spec.get("nodeName", ""),
        "phase": status.get("phase", ""),
        "ready": any(each.get("type") == "Ready" and each.get("status") == "True" for each in status.get("conditions") or ()),
        "controller": owners[0] if owners else "",
        "mirror": MIRROR in (metadata.get("annotations") or {}),
        "empty_dirs": [volume["name"] for volume in spec.get("volumes") or () if "emptyDir" in volume],
        "terminating": metadata.get("deletionTimestamp") or "",
        "finalizers": metadata.get("finalizers") or [],
        "labels": metadata.get("labels") or {},
        "tolerations": spec.get("tolerations") or [],
    }


def read_budgets(connection: Connection) -> t.List[dict]:
    """Return the record of each PodDisruptionBudget."""
    return list_items(connection, BUDGETS, None, budget_record)


def budget_record(budget: dict) -> dict:
    """Return selector, bound and state of a PodDisruptionBudget. C(trouble) is why the disruption controller cannot count its pods."""
    metadata, spec, status = budget["metadata"], budget.get("spec") or {}, budget.get("status") or {}
    bounds = ["%s: %s" % (key, spec[key]) for key in ("minAvailable", "maxUnavailable") if key in spec]
    failed = [each for each in status.get("conditions") or () if each.get("type") == "DisruptionAllowed" and each.get("reason") == "SyncFailed"]
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "selector": spec.get("selector"),
        "bound": ", ".join(bounds) or "no bound",
        "frees_unhealthy": spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow",
        "allowed": status.get("disruptionsAllowed", 0),
        "current": status.get("currentHealthy", 0),
        "desired": status.get("desiredHealthy", 0),
        "expected": status.get("expectedPods", 0),
        "trouble": failed[0].get("message", "") if failed else "",
    }
