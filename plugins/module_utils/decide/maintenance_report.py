# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""What maintenance tells its user: actions, diff, and what stands in the way of a drain or of a node that should be ready. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import taints
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.maintenance import (
    CORDONED,
    Change,
    Drain,
    Nodes,
    NodeWrite,
    budgets_of,
    is_ours,
)

SHOWN = 20


def node_result(nodes: Nodes, verb: str, writes: t.Sequence[NodeWrite], evict: t.Sequence[dict] = ()) -> dict:
    """Return the module's result: what is done to nodes and pods, and how the nodes are afterwards.

    :param verb: what the writes do to a node, such as cordon.
    """
    names = [write.name for write in writes]
    actions = ["%s %s" % (verb, some(names))] if names else []
    for name in nodes:
        leaving = [called(pod) for pod in evict if pod["node"] == name]
        if leaving:
            actions.append("evict %d pod%s from %s (%s)" % (len(leaving), "s" * (len(leaving) > 1), name, some(leaving)))
    return {"changed": bool(actions), "actions": actions, "nodes": node_views(nodes, writes), "diff": diff(nodes, writes, evict)}


def drain_result(nodes: Nodes, drain: Drain) -> dict:
    """Return the result of state drained."""
    pods = [{"node": pod["node"], "namespace": pod["namespace"], "name": pod["name"]} for pod in drain.evict]
    return dict(node_result(nodes, "cordon", drain.writes, drain.evict), pods=pods)


def uncordon_result(nodes: Nodes, writes: t.Sequence[NodeWrite]) -> dict:
    """Return the result of state uncordoned, with a warning of each cordon that stays."""
    foreign = [node["name"] for node in nodes.values() if node and node["unschedulable"] and not is_ours(node)]
    text = "%s: left cordoned, because somebody else did that (there is no annotation %s). To take it off: kubectl uncordon %s"
    return dict(node_result(nodes, "uncordon", writes), warnings=[text % (name, CORDONED, name) for name in foreign])


def node_views(nodes: Nodes, writes: t.Sequence[NodeWrite]) -> t.List[dict]:
    """Return each node with its cordon as the writes leave it."""
    after = {(write.name, change.path): change.wanted for write in writes for change in write.changes}
    views = []
    for node in filter(None, nodes.values()):
        reason = after.get((node["name"], ("metadata", "annotations", CORDONED)), node["annotations"].get(CORDONED))
        cordoned = bool(after.get((node["name"], ("spec", "unschedulable")), node["unschedulable"]))
        views.append({"name": node["name"], "cordoned": cordoned, "by_us": reason is not None, "reason": reason or ""})
    return views


def diff(nodes: Nodes, writes: t.Sequence[NodeWrite], evict: t.Sequence[dict]) -> t.List[dict]:
    """Return what Ansible shows with C(--diff) of each node that something is done to."""
    changes = {write.name: write.changes for write in writes}
    shown = []
    for name in nodes:
        before, after = ([line for change in changes.get(name, ()) for line in lines(change, side)] for side in ("seen", "wanted"))
        before += ["pod %s" % called(pod) for pod in evict if pod["node"] == name]
        if before or after:
            header = "node %s" % name
            texts = {"before": "".join(line + "\n" for line in before), "after": "".join(line + "\n" for line in after)}
            shown.append(dict(texts, before_header=header, after_header=header))
    return shown


def lines(change: Change, side: str) -> t.List[str]:
    """Return one side of a change as lines, none where there is no value."""
    value = getattr(change, side)
    if change.path == ("spec", "taints"):
        return ["taint %s" % taints.shown(taint) for taint in value or ()]
    if change.path == ("spec", "unschedulable"):
        return ["unschedulable: %s" % ("true" if value else "false")]
    return [] if value is None else ["%s %s: %s" % (change.path[1][:-1], change.path[2], value)]


def called(pod: dict) -> str:
    return "%s/%s" % (pod["namespace"], pod["name"])


def some(names: t.Sequence[str], most: int = 5) -> str:
    listed = ", ".join(names[:most])
    return listed if len(names) <= most else "%s and %d more" % (listed, len(names) - most)


def left_of_drain(pods: t.Sequence[dict], budgets: t.Sequence[dict], answers: t.Dict[str, str], at: str) -> t.List[dict]:
    """Return each pod that is still there when time is up, with what holds it and how to mend that.

    :param answers: what the server last said to the eviction of a pod, by UID.
    :param at: the node at which time was up.
    """
    return [_left(pod, budgets_of(pod, budgets), answers.get(pod["uid"], ""), at) for pod in pods]


def _left(pod: dict, budgets: t.Sequence[dict], answer: str, at: str) -> dict:
    budget = budgets[0] if len(budgets) == 1 else None
    shown = None
    if pod["terminating"]:
        reason, fix = _why_it_does_not_end(pod)
    elif pod["node"] != at:
        reason, fix = "not evicted yet: node %s is drained first" % at, "run again once that is done"
    elif budget and answer:
        reason, fix = _why_the_budget_holds_it(pod, budget)
        shown = {key: budget[key] for key in ("name", "bound", "current", "desired", "allowed")}
    else:
        reason, fix = answer or "its eviction was accepted, and it has not begun to end", "look at the API server's answer, and run again"
    where = {key: pod[key] for key in ("node", "namespace", "name", "uid")}
    return dict(where, reason=reason, budget=shown, fix=fix)


def _why_it_does_not_end(pod: dict) -> t.Tuple[str, str]:
    reason = "has been terminating since %s" % pod["terminating"]
    if pod["finalizers"]:
        return "%s, held by finalizers: %s" % (reason, ", ".join(pod["finalizers"])), "look at the controllers of these finalizers"
    return reason, "give more timeout or a shorter grace_period; where it never ends, look at the kubelet of %s" % pod["node"]


def _why_the_budget_holds_it(pod: dict, budget: dict) -> t.Tuple[str, str]:
    numbers = "%s, currentHealthy %d, desiredHealthy %d, disruptionsAllowed %d" % (
        budget["bound"],
        budget["current"],
        budget["desired"],
        budget["allowed"],
    )
    reason = "PodDisruptionBudget %s holds it (%s)" % (budget["name"], numbers)
    if budget["trouble"]:
        return "%s; its pods cannot be counted: %s" % (reason, budget["trouble"]), "correct the budget, whose minAvailable may have to be a number"
    if not pod["ready"] and budget["current"] < budget["desired"] and not budget["frees_unhealthy"]:
        return reason, "the pod is not ready itself: mend it, or set unhealthyPodEvictionPolicy AlwaysAllow in the budget"
    if budget["expected"] <= budget["desired"]:
        fix = "with its %d pods it never allows one to go: scale its workload above %d, or loosen the budget"
        return reason, fix % (budget["expected"], budget["desired"])
    if budget["current"] <= budget["desired"]:
        return reason, "mend the pods that it counts (%d of %d are healthy), or scale their workload up" % (budget["current"], budget["expected"])
    return reason, "give more timeout: other pods of it are going at the moment"


def drain_timeout(node: dict, left: t.Sequence[dict]) -> str:
    """Return which pods are in the way, why, and what becomes of the node.

    :param node: the view (see C(node_views)) of the node at which time was up.
    """
    whose = "by %s, and the next run goes on" % ("us" if node["by_us"] else "somebody else")
    told = ["node %s was not drained in time (timeout). It stays cordoned %s. Pods that are left (%d):" % (node["name"], whose, len(left))]
    told += ["- pod %s on %s: %s; fix: %s" % (called(pod), pod["node"], pod["reason"], pod["fix"]) for pod in left[:SHOWN]]
    return "\n".join(told + _rest(left))


def ready_timeout(rows: t.Sequence[dict], trouble: str) -> str:
    """Return which nodes are not ready, what each lacks, and since when.

    :param trouble: why the last look at the cluster failed; empty when it did not.
    """
    left = [row for row in rows if not row["ready"]]
    told = ["%d of %d nodes are not ready in time (timeout):" % (len(left), len(rows))] if rows else ["The nodes were not ready in time (timeout)."]
    told += ["- node %s: %s%s" % (row["name"], row["reason"], " since %s" % row["since"] if row["since"] else "") for row in left[:SHOWN]]
    return "\n".join(told + _rest(left) + (["The last look failed: %s" % trouble] if trouble else []))


def _rest(left: t.Sequence[dict]) -> t.List[str]:
    return ["- and %d more, all in the field left" % (len(left) - SHOWN)] if len(left) > SHOWN else []


def came_late(problems: t.Sequence[t.Any]) -> str:
    """Return what a drain says that found pods which came to a node just before it was cordoned."""
    told = ["The nodes are cordoned, but pods that came meanwhile may not be evicted, so that nothing was:"]
    return "\n".join(told + ["- " + problem.text() for problem in problems])
