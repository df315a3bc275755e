# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""What a report says, from what the modules returned: plain data, no I/O and no clock."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

SHARED = re.compile(r"-SHARED$")


def build(cluster: dict, gpus: dict, sharing: dict, validation: dict, marks: t.Sequence[dict], rehearsal: dict, now: float) -> dict:
    """Return the report as sections that text and page show.

    :param gpus: the result of gpu_nodes_info.
    :param sharing: the result of gpu_sharing, empty where nothing is shared.
    :param marks: a step's name and when it began, in order; a mark without a name ends the last step.
    :param rehearsal: what a rehearsal proves by which means, empty on a real cluster.
    """
    expected = {node["name"]: node for node in sharing.get("nodes") or []}
    nodes = [_node(node, expected.get(node["name"], {})) for node in sorted(gpus.get("nodes") or [], key=lambda one: natural(one["name"]))]
    pods = sorted(gpus.get("pods") or [], key=lambda pod: (pod["namespace"], natural(pod["name"])))
    return {
        "cluster": cluster,
        "nodes": nodes,
        "models": _models(nodes),
        "total": _sum(nodes),
        "running": _placed([pod for pod in pods if pod["node"]]),
        "pending": [_waiting(pod) for pod in pods if not pod["node"] or pod["phase"] == "Pending"],
        "validation": _validation(validation),
        "steps": _steps(marks, now),
        "simulated": sum(node["simulated"] for node in nodes),
        "rehearsal": rehearsal,
    }


def digest(report: dict) -> str:
    """Return a fingerprint of what a report says about GPUs and sharing: times and who uses them change all the time."""
    lasting = ("name", "model", "gpus", "config", "sharing", "resources", "problem")
    state = {"cluster": report["cluster"], "nodes": [{key: node[key] for key in lasting} for node in report["nodes"]]}
    return hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()


def natural(name: str) -> t.List[t.Tuple[int, str]]:
    """Return a key that sorts node-2 before node-10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def short_model(product: str) -> str:
    """Return a product name without what every name has, and without the suffix that sharing adds."""
    return re.sub(r"^NVIDIA-", "", SHARED.sub("", product)) or "unknown"


def _node(node: dict, expected: dict) -> dict:
    devices = node.get("allocatable") or {}
    problem = expected.get("reason", "") or ("" if node.get("ready", True) else "the node is not Ready")
    strategy, replicas = node.get("strategy") or "none", node.get("replicas") or 1
    return {
        "name": node["name"],
        "model": short_model(node.get("product") or ""),
        "gpus": node.get("gpus"),
        "config": expected.get("config") or node.get("config") or "",
        "sharing": "whole" if strategy == "none" else "%s \u00d7 %d" % (strategy, replicas),
        "resources": devices,
        "shares": sum(devices.values()),
        "used": sum((node.get("allocated") or {}).values()),
        "free": sum((node.get("free") or {}).values()),
        "problem": problem,
        "simulated": bool(node.get("simulated")),
    }


def _sum(nodes: t.Sequence[dict]) -> dict:
    counted = {key: sum(node[key] or 0 for node in nodes) for key in ("gpus", "shares", "used", "free")}
    return dict(counted, nodes=len(nodes))


def _models(nodes: t.Sequence[dict]) -> t.List[dict]:
    groups: t.Dict[t.Tuple[str, str], t.List[dict]] = {}
    for node in nodes:
        groups.setdefault((node["model"], node["sharing"]), []).append(node)
    return [dict(_sum(groups[key]), model=key[0], sharing=key[1]) for key in sorted(groups)]


def _placed(pods: t.Sequence[dict]) -> t.List[dict]:
    """Return, by namespace, how many pods hold how many devices, and on which nodes."""
    spaces: t.Dict[str, dict] = {}
    for pod in pods:
        space = spaces.setdefault(pod["namespace"], {"namespace": pod["namespace"], "pods": 0, "devices": 0, "nodes": {}})
        space["pods"] += 1
        held = sum(pod["resources"].values())
        space["devices"] += held
        space["nodes"][pod["node"]] = space["nodes"].get(pod["node"], 0) + held
    for space in spaces.values():
        space["nodes"] = dict(sorted(space["nodes"].items(), key=lambda item: natural(item[0])))
    return [spaces[name] for name in sorted(spaces)]


def _waiting(pod: dict) -> dict:
    wants = ", ".join("%d %s" % (count, name) for name, count in sorted(pod["resources"].items()))
    why = pod.get("message") or pod.get("reason") or "no reason given yet"
    return {"namespace": pod["namespace"], "name": pod["name"], "wants": wants, "reason": pod.get("reason") or pod["phase"], "why": why}


def _validation(validation: dict) -> dict:
    if not validation or "pods" not in validation:
        return {}
    pods = validation["pods"]
    ran = [pod for pod in pods if pod.get("phase") in ("Running", "Succeeded")]
    return {
        "ok": None if validation.get("ok") is None else bool(validation["ok"]),  # None where nothing ran: in check mode, or for want of a node
        "summary": validation.get("summary") or "%d of %d pods ran" % (len(ran), len(pods)),
        "pending": validation.get("pending_message") or validation.get("pending_reason") or "",
        "skipped": list(validation.get("skipped") or []),
        "simulated": bool(validation.get("simulated")),
        "failed": [pod for pod in pods if pod.get("phase") in ("Failed", "Gone")],
    }


def _steps(marks: t.Sequence[dict], now: float) -> t.List[dict]:
    """Return each step's seconds: from its mark to the next one; steps of the same name add up."""
    ends = [float(mark["at"]) for mark in list(marks)[1:]] + [now]
    seconds: t.Dict[str, float] = {}
    for mark, end in zip(marks, ends):
        if mark["step"]:
            seconds[mark["step"]] = seconds.get(mark["step"], 0.0) + max(0.0, end - float(mark["at"]))
    return [{"step": step, "seconds": round(spent, 1)} for step, spent in seconds.items()]
