# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Node labels and taints as options want them, where only those that we set go when they are no longer asked for. No I/O.

Two annotations of their own record what we set; the one of gpu_sharing is left to it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.kube_labels import key_is_right, value_is_right
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.maintenance import Change, Nodes, NodeWrite
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.maintenance_report import called, some
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.taints import shown, tolerates

LABELS = "gpuops.kubernetes/node-labels"
TAINTS = "gpuops.kubernetes/node-taints"
# The cluster itself sets and removes taints under this prefix, the one of a cordon among them.
OF_THE_CLUSTER = "node.kubernetes.io/"
KEY_RULE = "not a key: a name of up to 63 letters, digits, dashes, dots and underscores, with a DNS domain and a slash before it where it has one"
VALUE_RULE = "not a value: text of up to 63 letters, digits, dashes, dots and underscores"


def problems(labels: t.Dict[str, t.Any], taints: t.Sequence[dict], prefix: str) -> t.List[Problem]:
    """Return what is wrong with labels and taints by themselves."""
    found, owner = [], {}
    for key, value in labels.items():
        found += _text_problems(prefix + "labels", key, prefix + "labels[%s]" % key, value)
    for index, taint in enumerate(taints):
        path = "%staints[%d]" % (prefix, index)
        found += _text_problems(path + ".key", taint["key"], path + ".value", taint["value"])
        if taint["key"].startswith(OF_THE_CLUSTER):
            found.append(Problem(path + ".key", taint["key"], "the cluster itself sets and removes such taints", "use state cordoned to keep pods away"))
        first = owner.setdefault(_name(taint), path)
        if first != path:
            found.append(Problem(path, _name(taint), "%s has the same key and effect" % first, "remove one of them"))
    return found


def _text_problems(key_path: str, key: str, value_path: str, value: t.Any) -> t.List[Problem]:
    found = []
    if not key_is_right(key):
        found.append(Problem(key_path, key, KEY_RULE, "write it as example.com/name"))
    if value is not None and not (isinstance(value, str) and value_is_right(value)):
        found.append(Problem(value_path, value, VALUE_RULE, "correct it, and put numbers and true or false into quotes"))
    return found


def shared_problems(nodes: Nodes, labels: t.Dict[str, t.Any], prefix: str) -> t.List[Problem]:
    """Return a refusal for each label that gpu_sharing set: two writers would take it from each other at every run."""
    found = []
    for key in labels:
        shared = [node["name"] for node in nodes.values() if node and key in node["shared_labels"]]
        if shared:
            rule = "gpu_sharing set it on %s" % some(shared)
            found.append(Problem("%slabels[%s]" % (prefix, key), labels[key], rule, "assign it there (node_configs), or remove it here"))
    return found


def make_plan(nodes: Nodes, labels: t.Dict[str, t.Optional[str]], taints: t.Sequence[dict], adopt: bool = False) -> t.List[NodeWrite]:
    """Compare labels and taints of each node with those that are asked for.

    :param adopt: whether what somebody else had already set as it is asked for becomes ours.
    """
    planned = [(node, label_changes(node, labels, adopt) + taint_changes(node, taints, adopt)) for node in nodes.values() if node]
    return [NodeWrite(node["name"], changes, node["missing"]) for node, changes in planned if changes]


def label_changes(node: dict, labels: t.Dict[str, t.Optional[str]], adopt: bool) -> t.List[Change]:
    """Return the changes of one node's labels, and of our record of them."""
    ours, keep, changes = _recorded(node, LABELS), set(), []
    for key in sorted(set(labels) | set(ours)):
        seen, wanted = node["labels"].get(key), labels.get(key)
        if seen != wanted:
            changes.append(Change(("metadata", "labels", key), seen, wanted))
        if wanted is not None and (adopt or key in ours or seen != wanted):
            keep.add(key)
    return changes + _record(node, LABELS, keep)


def taint_changes(node: dict, taints: t.Sequence[dict], adopt: bool) -> t.List[Change]:
    """Return the change of one node's list of taints, and of our record of them.

    Key and effect make a taint; all others stay in their order, as the cluster wrote them.
    """
    ours, keep = _recorded(node, TAINTS), set()
    asked = {_name(taint): taint for taint in taints}
    wanted = []
    for taint in node["taints"]:
        want = asked.pop(_name(taint), None)
        if want is None:
            wanted += [taint] if _name(taint) not in ours else []
        elif want["state"] == "present":
            same = (taint.get("value") or "") == want["value"]
            wanted.append(taint if same else _body(want))
            keep |= {_name(taint)} if adopt or _name(taint) in ours or not same else set()
    new = [taint for taint in asked.values() if taint["state"] == "present"]
    wanted += [_body(taint) for taint in new]
    keep |= {_name(taint) for taint in new}
    changes = [Change(("spec", "taints"), node["taints"] or None, wanted or None)] if wanted != node["taints"] else []
    return changes + _record(node, TAINTS, keep)


def _name(taint: dict) -> str:
    return "%s:%s" % (taint["key"], taint["effect"])


def _body(taint: dict) -> dict:
    return {key: taint[key] for key in ("key", "value", "effect") if taint[key]}


def _recorded(node: dict, annotation: str) -> t.List[str]:
    return [each for each in node["annotations"].get(annotation, "").split(",") if each]


def _record(node: dict, annotation: str, keep: t.Set[str]) -> t.List[Change]:
    seen, wanted = node["annotations"].get(annotation), ",".join(sorted(keep)) or None
    return [Change(("metadata", "annotations", annotation), seen, wanted)] if seen != wanted else []


def killing(writes: t.Sequence[NodeWrite]) -> t.Dict[str, t.List[dict]]:
    """Return the NoExecute taints that are new on each node: they end running pods at once, past every PodDisruptionBudget."""
    found = {}
    for write in writes:
        for change in write.changes:
            if change.path == ("spec", "taints"):
                new = [taint for taint in change.wanted or () if taint["effect"] == "NoExecute" and taint not in (change.seen or ())]
                found.update({write.name: new} if new else {})
    return found


def killing_problems(new: t.Dict[str, t.List[dict]], pods: t.Sequence[dict], prefix: str) -> t.List[Problem]:
    """Return a refusal for each new NoExecute taint that running pods do not tolerate."""
    found = []
    for name, taints in new.items():
        for taint in taints:
            hit = [called(pod) for pod in pods if pod["node"] == name and not pod["mirror"] and not any(tolerates(each, taint) for each in pod["tolerations"])]
            if hit:
                rule = "it ends %d pods on node %s at once, past their PodDisruptionBudgets: %s" % (len(hit), name, some(hit))
                fix = "drain the node first (state drained), or set %sforce" % prefix
                found.append(Problem(prefix + "taints", shown(taint), rule, fix))
    return found
