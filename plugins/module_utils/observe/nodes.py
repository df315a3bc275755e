# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Nodes and GPU pods of a cluster as small plain records."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.pages import list_items

NODES = "/api/v1/nodes"
PODS = "/api/v1/pods"
PREFIX = "nvidia.com/"
KEPT_LABELS = (PREFIX, "feature.node.kubernetes.io/pci-10de.present")
OWNED_LABELS = "gpuops.kubernetes/labels"
FAKE = "kwok.x-k8s.io/node"
THOUSANDS = {"k": 10**3, "M": 10**6}
# A finished pod holds no GPU.
ALIVE = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}


def read_nodes(connection: Connection, selector: str = "") -> t.List[dict]:
    """Return the record of each node (see C(node_record))."""
    return list_items(connection, NODES, {"labelSelector": selector} if selector else None, node_record)


def read_names(connection: Connection, selector: str) -> t.List[str]:
    """Return the names of the nodes that a label selector matches; the server reads the selector, so its rules are exactly kubectl's."""
    return list_items(connection, NODES, {"labelSelector": selector}, lambda node: node["metadata"]["name"])


def read_gpu_pods(connection: Connection) -> t.List[dict]:
    """Return the record of each living pod that asks for NVIDIA resources (see C(pod_record))."""
    return list_items(connection, PODS, ALIVE, pod_record)


def node_record(node: dict) -> dict:
    """Return name, readiness, NVIDIA labels and NVIDIA resources (counts) of a node."""
    metadata, status = node["metadata"], node.get("status") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    return {
        "name": metadata["name"],
        "ready": any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ()),
        "taints": (node.get("spec") or {}).get("taints") or [],
        "schedulable": not (node.get("spec") or {}).get("unschedulable", False),
        "labels": {key: value for key, value in labels.items() if key.startswith(KEPT_LABELS)},
        "owned_labels": [key for key in annotations.get(OWNED_LABELS, "").split(",") if key],
        "annotated": bool(annotations),
        "simulated": annotations.get(FAKE) == "fake",
        "capacity": gpu_resources(status.get("capacity")),
        "allocatable": gpu_resources(status.get("allocatable")),
    }


def gpu_resources(resources: t.Optional[t.Dict[str, t.Any]]) -> t.Dict[str, int]:
    return {name: whole(count) for name, count in (resources or {}).items() if name.startswith(PREFIX)}


def whole(quantity: t.Any) -> int:
    """Return a quantity that counts things: the API server writes 1000 as 1k."""
    text = str(quantity)
    return int(text[:-1]) * THOUSANDS[text[-1]] if text[-1:] in THOUSANDS else int(text)


def pod_record(pod: dict) -> t.Optional[dict]:
    """Return where a pod runs and what NVIDIA resources it holds; None for a pod without any."""
    spec = pod.get("spec") or {}
    held = pod_resources(spec)
    if not held:
        return None
    metadata, status = pod["metadata"], pod.get("status") or {}
    reason, message = pending_reason(status)
    return {
        "namespace": metadata.get("namespace", ""),
        "name": metadata["name"],
        "node": spec.get("nodeName", ""),
        "phase": status.get("phase", ""),
        "resources": held,
        "reason": reason,
        "message": message,
    }


def pod_resources(spec: dict) -> t.Dict[str, int]:
    """Return what the scheduler counts for a pod: the sum of its containers, or its largest init container if that is more.

    Init containers that restart (sidecars) count with the containers. Extended resources: limits equal requests.
    """
    total: t.Dict[str, int] = {}
    start: t.Dict[str, int] = {}
    containers = spec.get("containers") or []
    inits = spec.get("initContainers") or []
    for container in containers + [c for c in inits if c.get("restartPolicy") == "Always"]:
        for name, count in _limits(container).items():
            total[name] = total.get(name, 0) + count
    for container in inits:
        for name, count in _limits(container).items():
            start[name] = max(start.get(name, 0), count)
    for name, count in start.items():
        total[name] = max(total.get(name, 0), count)
    return total


def _limits(container: dict) -> t.Dict[str, int]:
    resources = container.get("resources")
    return gpu_resources(resources.get("limits")) if resources else {}


def pending_reason(status: dict) -> t.Tuple[str, str]:
    """Return reason and message why a pod does not run, in the words of the scheduler or the kubelet."""
    if status.get("reason"):
        return status["reason"], status.get("message", "")
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return condition.get("reason", ""), condition.get("message", "")
    for container in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        waiting = (container.get("state") or {}).get("waiting")
        if waiting:
            return waiting.get("reason", ""), waiting.get("message", "")
    return "", ""
