# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Node labels and taints: what we set goes when it is no longer asked for, and what others set stays."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.maintenance_nodes import node_patch
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import maintenance_labels as decide
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.maintenance import node_record

from tests.unit.apply.patches import applied

SHARING = {"gpuops.kubernetes/labels": "nvidia.com/device-plugin.config"}
NO_SCHEDULE = "NoSchedule"


def raw(labels=None, taints=None, **annotations):
    spec = {"taints": taints} if taints else {}
    return {"metadata": {"name": "a", "labels": dict({"os": "linux"}, **(labels or {})), "annotations": dict(SHARING, **annotations)}, "spec": spec}


def taint(key="pool", value="", effect=NO_SCHEDULE, state="present"):
    return {"key": key, "value": value, "effect": effect, "state": state}


def body(key="pool", value="", effect=NO_SCHEDULE):
    return {name: text for name, text in (("key", key), ("value", value), ("effect", effect)) if text}


def run(node, labels=None, taints=()):
    """Return the node as the API server has it after the plan is written."""
    for write in decide.make_plan({"a": node_record(node)}, labels or {}, taints):
        node = applied(node, node_patch(write))
    return node


def kept(names, kind="labels"):
    return {"gpuops.kubernetes/node-%s" % kind: names}


LABELS = {
    "a new one is set and noted": (raw(), {"pool": "x"}, raw({"pool": "x"}, **kept("pool"))),
    "one of others with the same value stays theirs": (raw({"pool": "x"}), {"pool": "x"}, raw({"pool": "x"})),
    "one of others with another value becomes ours": (raw({"pool": "y"}), {"pool": "x"}, raw({"pool": "x"}, **kept("pool"))),
    "ours goes when it is no longer asked for": (raw({"pool": "x"}, **kept("pool")), {}, raw()),
    "ours changes": (raw({"pool": "x"}, **kept("pool")), {"pool": "y"}, raw({"pool": "y"}, **kept("pool"))),
    "ours that somebody removed leaves the note": (raw(**kept("pool")), {}, raw()),
    "one of others goes where null says so": (raw({"pool": "x"}), {"pool": None}, raw()),
    "one that is not there need not go": (raw(), {"pool": None}, raw()),
    "one goes, one stays, one comes": (
        raw({"b": "1", "c": "1"}, **kept("b,c")),
        {"c": "1", "d": "1"},
        raw({"c": "1", "d": "1"}, **kept("c,d")),
    ),
}


@pytest.mark.parametrize("before, labels, after", LABELS.values(), ids=LABELS)
def test_labels_become_what_is_asked_for(before, labels, after):
    assert run(before, labels) == after
    assert run(after, labels) == after and not decide.make_plan({"a": node_record(after)}, labels, [])


THEIRS = {"key": "theirs", "effect": "NoExecute", "timeAdded": "2026-01-02T03:04:05Z"}
NOTE = "pool:NoSchedule"
TAINTS = {
    "a new one is set and noted": ([THEIRS], "", [taint(value="x")], [THEIRS, body(value="x")], NOTE),
    "one of others with the same value stays theirs": ([body(value="x")], "", [taint(value="x")], [body(value="x")], ""),
    "one of others with another value becomes ours": ([body(value="y"), THEIRS], "", [taint(value="x")], [body(value="x"), THEIRS], NOTE),
    "ours goes when it is no longer asked for": ([THEIRS, body()], NOTE, [], [THEIRS], ""),
    "the last one goes with the list": ([body()], NOTE, [], [], ""),
    "absent removes one of others": ([body(), THEIRS], "", [taint(state="absent")], [THEIRS], ""),
    "absent asks nothing where there is none": ([THEIRS], "", [taint(state="absent")], [THEIRS], ""),
    "another effect is another taint": ([body(effect="NoExecute")], "", [taint()], [body(effect="NoExecute"), body()], NOTE),
}


@pytest.mark.parametrize("before, noted, taints, after, note", TAINTS.values(), ids=TAINTS)
def test_taints_become_what_is_asked_for(before, noted, taints, after, note):
    done = raw(taints=after, **(kept(note, "taints") if note else {}))
    assert run(raw(taints=before, **(kept(noted, "taints") if noted else {})), taints=taints) == done
    assert not decide.make_plan({"a": node_record(done)}, {}, taints)


def test_what_a_node_registered_with_goes_once_it_was_adopted():
    node = raw({"pool": "x", "theirs": "y"}, [body(), THEIRS])
    (write,) = decide.make_plan({"a": node_record(node)}, {"pool": "x"}, [taint()], True)
    adopted = applied(node, node_patch(write))
    assert adopted == raw({"pool": "x", "theirs": "y"}, [body(), THEIRS], **kept("pool"), **kept(NOTE, "taints"))
    assert run(adopted) == raw({"theirs": "y"}, [THEIRS])


def test_a_label_of_gpu_sharing_is_refused():
    nodes = {"a": node_record(raw()), "b": None}
    (problem,) = decide.shared_problems(nodes, {"nvidia.com/device-plugin.config": "x", "pool": "y"}, "x_")
    assert problem.path == "x_labels[nvidia.com/device-plugin.config]" and "gpu_sharing set it on a" in problem.rule


BAD = {
    "good": ({"example.com/pool": "a.b_c-d", "empty": "", "gone": None}, [taint(), taint(effect="NoExecute")], []),
    "a number": ({"gpus": 4}, [], ["labels[gpus]"]),
    "a boolean": ({"gpu": True}, [], ["labels[gpu]"]),
    "no label key": ({"a b": "x", "/x": "y"}, [], ["labels", "labels"]),
    "no label value": ({"a": "x y", "b": "x" * 64}, [], ["labels[a]", "labels[b]"]),
    "no taint key": ({}, [taint("-")], ["taints[0].key"]),
    "no taint value": ({}, [taint(value="a b")], ["taints[0].value"]),
    "the cluster's own taint": ({}, [taint("node.kubernetes.io/unschedulable")], ["taints[0].key"]),
    "a taint twice": ({}, [taint(), taint(value="x")], ["taints[1]"]),
}


@pytest.mark.parametrize("labels, taints, paths", BAD.values(), ids=BAD)
def test_what_the_api_server_would_not_take_is_refused(labels, taints, paths):
    assert [problem.path for problem in decide.problems(labels, taints, "")] == paths


def test_new_taints_that_end_pods_are_refused_with_the_pods():
    node = node_record(raw(taints=[THEIRS]))
    writes = decide.make_plan({"a": node}, {}, [taint("repair", effect="NoExecute"), taint()])
    killing = decide.killing(writes)
    assert killing == {"a": [body("repair", effect="NoExecute")]}
    common = {"namespace": "ml", "node": "a", "mirror": False, "tolerations": []}
    tolerant, elsewhere = dict(common, name="q", tolerations=[{"operator": "Exists"}]), dict(common, name="r", node="b")
    (problem,) = decide.killing_problems(killing, [dict(common, name="p"), tolerant, elsewhere, dict(common, name="s", mirror=True)], "x_")
    assert "it ends 1 pod" in problem.rule and problem.rule.endswith(": ml/p") and "x_force" in problem.fix
    assert decide.killing_problems(killing, [tolerant], "") == []
