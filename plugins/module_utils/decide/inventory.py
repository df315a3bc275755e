# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""What a cluster has in GPUs, who holds them and what is free: sums over records, without I/O."""

from __future__ import annotations

import typing as t

GPU = "nvidia.com/gpu"
GPU_SHARED = "nvidia.com/gpu.shared"
COUNT = "nvidia.com/gpu.count"
CONFIG = "nvidia.com/device-plugin.config"
PRESENT = ("nvidia.com/gpu.present", "feature.node.kubernetes.io/pci-10de.present")

Counts = t.Dict[str, int]


def is_gpu_node(node: dict) -> bool:
    """Tell whether a node has NVIDIA GPUs as far as its labels or its resources say."""
    labels = node["labels"]
    has = any(count for name, count in node["capacity"].items() if is_gpu(name))
    return has or COUNT in labels or any(labels.get(key) == "true" for key in PRESENT)


def is_gpu(resource: str) -> bool:
    """Tell whether a resource stands for GPUs or parts of them; nvidia.com/ has network devices and virtual functions too."""
    return resource in (GPU, GPU_SHARED) or resource.startswith("nvidia.com/mig-")


def physical_gpus(node: dict) -> t.Optional[int]:
    """Return the GPUs in a node as GPU feature discovery counted them; None while it has not."""
    count = node["labels"].get(COUNT, "")
    return int(count) if count.isdigit() else None


def inventory(nodes: t.Sequence[dict], pods: t.Sequence[dict]) -> dict:
    """Return GPU nodes with what is allocated and free, sums by model and by namespace, and totals by resource."""
    held = held_by(pods, "node")
    by_namespace = held_by(pods, "namespace")
    views = [_node_view(node, held.get(node["name"], {})) for node in nodes if is_gpu_node(node)]
    return {
        "nodes": views,
        "models": _models(views),
        "totals": _totals(views),
        "pods": list(pods),
        "namespaces": [{"namespace": name, "resources": by_namespace[name]} for name in sorted(by_namespace)],
    }


def held_by(pods: t.Sequence[dict], key: str) -> t.Dict[str, Counts]:
    """Return the NVIDIA resources that placed pods hold, by node or by namespace."""
    held: t.Dict[str, Counts] = {}
    for pod in pods:
        if pod["node"]:
            _add(held.setdefault(pod[key], {}), pod["resources"])
    return held


def _add(total: Counts, more: Counts) -> None:
    for name, count in more.items():
        total[name] = total.get(name, 0) + count


def _node_view(node: dict, allocated: Counts) -> dict:
    labels = node["labels"]
    allocatable = node["allocatable"]
    return {
        "name": node["name"],
        "ready": node["ready"],
        "schedulable": node["schedulable"],
        "product": labels.get("nvidia.com/gpu.product", ""),
        "gpus": physical_gpus(node),
        "replicas": int(labels.get("nvidia.com/gpu.replicas") or 1),
        "strategy": labels.get("nvidia.com/gpu.sharing-strategy", ""),
        "config": labels.get(CONFIG, ""),
        "capacity": node["capacity"],
        "allocatable": allocatable,
        "allocated": allocated,
        # Below zero after a node lost GPUs that pods still hold: shown as it is.
        "free": {name: count - allocated.get(name, 0) for name, count in allocatable.items()},
        "simulated": node["simulated"],
    }


def _models(views: t.Sequence[dict]) -> t.List[dict]:
    models: t.Dict[str, dict] = {}
    for view in views:
        model = models.setdefault(view["product"] or "unknown", {"nodes": 0, "gpus": 0, "allocatable": {}, "allocated": {}})
        model["nodes"] += 1
        model["gpus"] += view["gpus"] or 0
        _add(model["allocatable"], view["allocatable"])
        _add(model["allocated"], view["allocated"])
    return [dict(models[name], product=name) for name in sorted(models)]


def _totals(views: t.Sequence[dict]) -> t.Dict[str, Counts]:
    totals: t.Dict[str, Counts] = {}
    for view in views:
        for kind in ("capacity", "allocatable", "allocated", "free"):
            for name, count in view[kind].items():
                total = totals.setdefault(name, {"capacity": 0, "allocatable": 0, "allocated": 0, "free": 0})
                total[kind] += count
    return totals
