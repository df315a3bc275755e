# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Maintenance of nodes: who cordoned what, which pods a drain evicts, what speaks against it, and what a node lacks to be ready. No I/O."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem

CORDONED = "gpuops.kubernetes/cordoned"
FINISHED = ("Succeeded", "Failed")
# The options that one state alone reads: elsewhere they would be ignored without a word.
READ_BY = {"labels": "labelled", "taints": "labelled", "adopt": "labelled", "version": "ready", "quorum": "ready", "grace_period": "drained"}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")

Nodes = t.Dict[str, t.Optional[dict]]


class Change(t.NamedTuple):
    """One value of a node: the one that the plan saw and the one it wants (None: there is none)."""

    path: t.Tuple[str, ...]
    seen: t.Any
    wanted: t.Any


class NodeWrite(t.NamedTuple):
    """What is written to one node. C(missing) names the maps in its metadata that do not exist yet."""

    name: str
    changes: t.List[Change]
    missing: t.List[str]


class Drain(t.NamedTuple):
    """What a drain does: C(evict) are pods to evict, C(ending) those that somebody else has already told to end."""

    writes: t.List[NodeWrite]
    evict: t.List[dict]
    ending: t.List[dict]


def option_problems(params: t.Dict[str, t.Any]) -> t.List[Problem]:
    """Return what is wrong with the options by themselves."""
    prefix, state, found = params["prefix"], params["state"], []
    if not params["nodes"]:
        found.append(Problem(prefix + "nodes", [], "at least one node is needed", "name the nodes as kubectl get nodes shows them"))
    for name in params["nodes"]:
        if not _NAME.fullmatch(name):
            rule = "not a node name: lower case letters, digits, dashes and dots"
            found.append(Problem(prefix + "nodes", name, rule, "name the nodes as kubectl get nodes shows them"))
    for option, reader in sorted(READ_BY.items()):
        if params[option] and state != reader:
            found.append(Problem(prefix + option, params[option], "read with state %s only, and the state is %s" % (reader, state), "remove one of the two"))
    grace = params["grace_period"]
    if grace is not None and grace < 1:
        rule = "must be 1 or more: with 0 a pod counts as gone while its programs still run"
        found.append(Problem(prefix + "grace_period", grace, rule, "write a number of seconds, or remove it to let each pod have its own"))
    for option, least in (("timeout", 0), ("sleep", 0.05), ("concurrency", 1)):
        if params[option] < least:
            found.append(Problem(prefix + option, params[option], "must be %s or more" % least, "write a larger number"))
    return found


def unknown_nodes(nodes: Nodes, prefix: str) -> t.List[Problem]:
    """Return a refusal where the cluster does not know all nodes."""
    unknown = [name for name, node in nodes.items() if node is None]
    rule = "the cluster has no such node: %s" % ", ".join(unknown)
    return [Problem(prefix + "nodes", list(nodes), rule, "use names that kubectl get nodes shows")] if unknown else []


def is_ours(node: dict) -> bool:
    """Tell whether we cordoned a node; a cordon without our annotation is somebody else's."""
    return CORDONED in node["annotations"]


def cordon(node: dict, reason: str) -> t.List[Change]:
    """Return the changes that cordon a node. A cordon of somebody else stays that, and an earlier one of ours keeps its reason."""
    if node["unschedulable"]:
        return []
    changes = [Change(("spec", "unschedulable"), None, True)]
    return changes if is_ours(node) else changes + [Change(("metadata", "annotations", CORDONED), None, reason)]


def uncordon(node: dict) -> t.List[Change]:
    """Return the changes that take our cordon off a node, and none where it is not ours."""
    if not is_ours(node):
        return []
    changes = [Change(("spec", "unschedulable"), True, None)] if node["unschedulable"] else []
    return changes + [Change(("metadata", "annotations", CORDONED), node["annotations"][CORDONED], None)]


def node_writes(nodes: Nodes, change: t.Callable[[dict], t.List[Change]]) -> t.List[NodeWrite]:
    """Return what C(change) makes of each node, where it makes anything."""
    planned = [(node, change(node)) for node in nodes.values() if node]
    return [NodeWrite(node["name"], changes, node["missing"]) for node, changes in planned if changes]


def make_drain(nodes: Nodes, pods: t.Sequence[dict], reason: str, only: t.Sequence[str] = ()) -> Drain:
    """Compare nodes and the pods on them with drained ones.

    :param only: UIDs of the pods that a drain has begun with, to go on with no others; empty: all.
    """
    chosen = [pod for pod in pods if goes(pod) and (not only or pod["uid"] in only)]
    writes = node_writes(nodes, lambda node: cordon(node, reason))
    return Drain(writes, [pod for pod in chosen if not pod["terminating"]], [pod for pod in chosen if pod["terminating"]])


def goes(pod: dict) -> bool:
    """Tell whether a drain takes a pod off its node, by the rules of kubectl drain.

    Mirror pods follow files on the node, and a DaemonSet's pods ignore the cordon and would be back at once; its finished ones would not.
    """
    return not pod["mirror"] and (pod["controller"] != "DaemonSet" or pod["phase"] in FINISHED)


def drain_problems(pods: t.Sequence[dict], budgets: t.Sequence[dict], force: bool, delete_emptydir_data: bool, prefix: str) -> t.List[Problem]:
    """Return each reason not to evict these pods; what has finished is past being hurt."""
    found = []
    for pod in pods:
        if pod["phase"] in FINISHED:
            continue
        path, on = "pod %s/%s" % (pod["namespace"], pod["name"]), "node %s" % pod["node"]
        if not pod["controller"] and not force:
            fix = "remove it yourself, or set %sforce to let it go" % prefix
            found.append(Problem(path, on, "no controller owns it, so nothing would start it again elsewhere", fix))
        if pod["empty_dirs"] and not delete_emptydir_data:
            rule = "its emptyDir volumes (%s) and all that is in them are deleted with it" % ", ".join(pod["empty_dirs"])
            found.append(Problem(path, on, rule, "save what is needed, and set %sdelete_emptydir_data" % prefix))
        covering = budgets_of(pod, budgets)
        # A pod that has not started is evicted without a look at its budgets.
        if len(covering) > 1 and pod["phase"] != "Pending":
            rule = "%d PodDisruptionBudgets select it (%s), and the eviction API refuses such a pod" % (
                len(covering),
                ", ".join(budget["name"] for budget in covering),
            )
            found.append(Problem(path, on, rule, "change their selectors or remove one of them, so that a single one is left"))
    return found


def budgets_of(pod: dict, budgets: t.Sequence[dict]) -> t.List[dict]:
    """Return the PodDisruptionBudgets that select a pod."""
    return [budget for budget in budgets if budget["namespace"] == pod["namespace"] and selects(budget["selector"], pod["labels"])]


def selects(selector: t.Optional[dict], labels: t.Dict[str, str]) -> bool:
    """Tell whether a label selector of policy/v1 fits: an empty one fits everything, a missing one nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_fits(each, labels) for each in selector.get("matchExpressions") or ())


def _fits(expression: dict, labels: t.Dict[str, str]) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values") or ()
    if operator in ("Exists", "DoesNotExist"):
        return (key in labels) == (operator == "Exists")
    return (key in labels and labels[key] in values) == (operator == "In")


def ready_rows(nodes: Nodes, etcd_nodes: Nodes, version: str) -> t.List[dict]:
    """Return name, readiness, version and, of each node that is not ready, what is missing and since when.

    :param version: the kubelet's version that C(nodes) have to run; empty: any.
    :param etcd_nodes: nodes that have to be voting members of etcd.
    """
    rows = [_row(name, node, _lack(node, version) or (_lack_of_vote(node) if name in etcd_nodes else None)) for name, node in nodes.items()]
    others = [(name, node) for name, node in sorted(etcd_nodes.items()) if name not in nodes]
    return rows + [_row(name, node, _lack(node, "") or _lack_of_vote(node)) for name, node in others]


Lack = t.Optional[t.Tuple[str, str]]


def _row(name: str, node: t.Optional[dict], lack: Lack) -> dict:
    reason, since = lack or ("", "")
    return {"name": name, "ready": lack is None, "version": node["version"] if node else "", "reason": reason, "since": since}


def _lack(node: t.Optional[dict], version: str) -> Lack:
    if node is None:
        return "the cluster does not know it", ""
    lack = _lack_of(node, "Ready")
    if lack is None and version and node["version"].lstrip("v") != version.lstrip("v"):
        return "its kubelet is %s, should be %s" % (node["version"] or "of no known version", version), ""
    return lack


def _lack_of_vote(node: t.Optional[dict]) -> Lack:
    return _lack_of(node, "EtcdIsVoter") if node else None


def _lack_of(node: dict, kind: str) -> Lack:
    condition = node["conditions"].get(kind)
    if condition is None:
        return "it has no condition %s" % kind, ""
    if condition.get("status") == "True":
        return None
    said = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
    return "its condition %s is %s%s" % (kind, condition.get("status"), " (%s)" % said if said else ""), condition.get("lastTransitionTime") or ""
