# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report counts and groups, and what makes it a new one."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.report import model

GPU = "nvidia.com/gpu"


def node(name, **more):
    base = {"name": name, "ready": True, "product": "NVIDIA-A100-SXM4-80GB", "gpus": 8, "replicas": 1, "strategy": "", "config": "", "simulated": False}
    return dict(dict(base, allocatable={GPU: 8}, allocated={}, free={GPU: 8}), **more)


def shared(name, **more):
    devices = {"allocatable": {GPU: 32}, "allocated": {GPU: 5}, "free": {GPU: 27}}
    sharing = {"product": "NVIDIA-A100-SXM4-80GB-SHARED", "strategy": "time-slicing", "replicas": 4}
    return node(name, **{**devices, **sharing, **more})


def pod(name, place="", namespace="ml", count=1, **more):
    base = {"namespace": namespace, "name": name, "node": place, "phase": "Running" if place else "Pending", "resources": {GPU: count}}
    return dict(dict(base, reason="", message=""), **more)


def build(nodes=(), pods=(), **more):
    base = {"cluster": {"name": "lab"}, "sharing": {}, "validation": {}, "marks": [], "rehearsal": {}, "now": 100.0}
    return model.build(gpus={"nodes": list(nodes), "pods": list(pods)}, **dict(base, **more))


def names(entries):
    return [entry["name"] for entry in entries]


SORTED = {
    "numbers count": ["node-1", "node-2", "node-10"],
    "the last number counts too": ["r1-n2", "r1-n10", "r2-n1", "r10-n1"],
    "numbers come before letters": ["node-2", "node-10", "node-a"],
    "a name that begins with a number": ["2-node", "10-node", "node"],
}


@pytest.mark.parametrize("expected", SORTED.values(), ids=SORTED)
def test_nodes_are_sorted_as_people_count(expected):
    assert names(build([node(name) for name in reversed(expected)])["nodes"]) == expected


def test_pending_pods_are_sorted_by_namespace_and_as_people_count():
    pods = [pod("train-10"), pod("train-2"), pod("last", namespace="a")]
    assert names(build(pods=pods)["pending"]) == ["last", "train-2", "train-10"]


@given(strategies.lists(strategies.text("a1-.", max_size=6)))
def test_any_names_can_be_sorted(found):
    assert sorted(sorted(found, key=model.natural)) == sorted(found)


@pytest.mark.parametrize(
    ("product", "shown"),
    [
        ("NVIDIA-A100-SXM4-80GB", "A100-SXM4-80GB"),
        ("NVIDIA-A100-SXM4-80GB-SHARED", "A100-SXM4-80GB"),
        ("Tesla-T4", "Tesla-T4"),
        ("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb-SHARED", "A100-SXM4-80GB-MIG-1g.10gb"),
        ("", "unknown"),
    ],
)
def test_a_model_is_shown_without_what_sharing_adds(product, shown):
    assert model.short_model(product) == shown
    assert build([node("a", product=product)])["nodes"][0]["model"] == shown


def test_shares_are_counted_apart_from_gpus():
    (found,) = build([shared("a")])["nodes"]
    assert (found["gpus"], found["shares"], found["used"], found["free"]) == (8, 32, 5, 27)
    assert found["sharing"] == "time-slicing \u00d7 4"


def test_devices_of_several_kinds_are_summed_and_kept_apart():
    devices = {GPU: 2, "nvidia.com/mig-1g.10gb": 14}
    (found,) = build([node("a", allocatable=devices, allocated={"nvidia.com/mig-1g.10gb": 3}, free={GPU: 2, "nvidia.com/mig-1g.10gb": 11})])["nodes"]
    assert (found["shares"], found["used"], found["free"]) == (16, 3, 13) and found["resources"] == devices


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        pytest.param({"strategy": "none", "replicas": 1}, "whole", id="the label none"),
        pytest.param({"strategy": "", "replicas": None}, "whole", id="no label"),
        pytest.param({"strategy": "mps", "replicas": 10}, "mps \u00d7 10", id="MPS"),
        pytest.param({"strategy": "time-slicing", "replicas": None}, "time-slicing \u00d7 1", id="replicas not yet known"),
    ],
)
def test_sharing_is_said_in_words(found, shown):
    assert build([node("a", **found)])["nodes"][0]["sharing"] == shown


def test_sums_are_by_model_and_by_sharing():
    t4 = {"product": "Tesla-T4", "gpus": 1, "allocatable": {GPU: 1}, "allocated": {GPU: 1}, "free": {GPU: 0}}
    report = build([shared("a"), node("b"), shared("c"), node("d", **t4)])
    assert report["models"] == [
        {"model": "A100-SXM4-80GB", "sharing": "time-slicing \u00d7 4", "nodes": 2, "gpus": 16, "shares": 64, "used": 10, "free": 54},
        {"model": "A100-SXM4-80GB", "sharing": "whole", "nodes": 1, "gpus": 8, "shares": 8, "used": 0, "free": 8},
        {"model": "Tesla-T4", "sharing": "whole", "nodes": 1, "gpus": 1, "shares": 1, "used": 1, "free": 0},
    ]
    assert report["total"] == {"nodes": 4, "gpus": 25, "shares": 73, "used": 11, "free": 62}


def test_an_unknown_number_of_gpus_stays_unknown_and_adds_nothing():
    report = build([node("a", gpus=None, allocatable=None, allocated=None, free=None, product=None), node("b")])
    assert report["nodes"][0]["gpus"] is None and report["nodes"][0]["model"] == "unknown"
    assert report["total"] == {"nodes": 2, "gpus": 8, "shares": 8, "used": 0, "free": 8}


PROBLEMS = {
    "all is well": ({}, {"reason": ""}, ""),
    "nothing is known of its sharing": ({}, None, ""),
    "the node does not follow": ({}, {"reason": "advertises 8, not 32"}, "advertises 8, not 32"),
    "the node is down": ({"ready": False}, None, "the node is not Ready"),
    "down, and the sharing knows more": ({"ready": False}, {"reason": "not Ready since 09:00"}, "not Ready since 09:00"),
}


@pytest.mark.parametrize("found, expected, problem", PROBLEMS.values(), ids=PROBLEMS)
def test_a_node_has_the_problem_that_its_sharing_has(found, expected, problem):
    sharing = {"nodes": [dict(expected, name="a")]} if expected else {}
    report = build([node("a", **found), node("b")], sharing=sharing)
    assert [each["problem"] for each in report["nodes"]] == [problem, ""]


def test_the_configuration_that_is_meant_goes_before_the_one_that_is_labelled():
    sharing = {"nodes": [{"name": "a", "config": "by-four"}, {"name": "gone", "config": "x"}]}
    found = build([node("a", config="old"), node("b", config="own"), node("c")], sharing=sharing)["nodes"]
    assert [each["config"] for each in found] == ["by-four", "own", ""]


def test_running_pods_are_counted_by_namespace_and_node():
    pods = [pod("p1", "n10"), pod("p2", "n2", count=3), pod("p3", "n2"), pod("p4", "n1", namespace="dev"), pod("p5")]
    report = build(pods=pods)
    assert report["running"] == [
        {"namespace": "dev", "pods": 1, "devices": 1, "nodes": {"n1": 1}},
        {"namespace": "ml", "pods": 3, "devices": 5, "nodes": {"n2": 4, "n10": 1}},
    ]
    assert list(report["running"][1]["nodes"]) == ["n2", "n10"]


WORDS = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
WAITING = {
    "the scheduler's words": ({"reason": "Unschedulable", "message": WORDS}, "Unschedulable", WORDS),
    "a reason only": ({"reason": "Unschedulable"}, "Unschedulable", "Unschedulable"),
    "nothing yet": ({}, "Pending", "no reason given yet"),
    "placed, and not started": ({"node": "a", "phase": "Pending", "reason": "ErrImagePull", "message": "not found"}, "ErrImagePull", "not found"),
}


@pytest.mark.parametrize("found, reason, why", WAITING.values(), ids=WAITING)
def test_a_pending_pod_says_why(found, reason, why):
    (waiting,) = build(pods=[pod("p", **found), pod("q", "a")])["pending"]
    assert (waiting["name"], waiting["reason"], waiting["why"]) == ("p", reason, why)


def test_a_pending_pod_says_what_it_wants():
    (waiting,) = build(pods=[pod("p", resources={"nvidia.com/mig-1g.10gb": 1, GPU: 2})])["pending"]
    assert waiting["wants"] == "2 nvidia.com/gpu, 1 nvidia.com/mig-1g.10gb"


@pytest.mark.parametrize(
    ("validation", "ok", "summary"),
    [
        pytest.param({"ok": True, "summary": "all passed."}, True, "all passed.", id="passed"),
        pytest.param({"ok": False, "summary": "not all."}, False, "not all.", id="failed"),
        pytest.param({"ok": None, "summary": "would run."}, None, "would run.", id="check mode"),
        pytest.param({"ok": True}, True, "2 of 5 pods ran", id="without a summary"),
    ],
)
def test_a_validation_is_passed_or_failed_or_was_only_foreseen(validation, ok, summary):
    pods = [{"phase": "Running"}, {"phase": "Succeeded"}, {"phase": "Pending"}, {"phase": "Failed", "name": "p"}, {"phase": "Gone", "name": "q"}]
    found = build(validation=dict(validation, pods=pods))["validation"]
    assert found["ok"] is ok and found["summary"] == summary and [pod["name"] for pod in found["failed"]] == ["p", "q"]


@pytest.mark.parametrize("validation", [{}, {"changed": False, "skipped": True}], ids=["none", "a task that was skipped"])
def test_no_validation_is_none(validation):
    assert build(validation=validation)["validation"] == {}


def mark(step, at):
    return {"step": step, "at": at}


STEPS = {
    "each lasts until the next one begins": ([mark("a", 10), mark("b", 12.5)], [("a", 2.5), ("b", 87.5)]),
    "steps of the same name add up": ([mark("a", 10), mark("b", 20), mark("a", 90)], [("a", 20.0), ("b", 70.0)]),
    "a mark without a name ends the last step": ([mark("a", 10), mark(None, 30), mark("b", 99), mark("", 99.5)], [("a", 20.0), ("b", 0.5)]),
    "a clock that was set back": ([mark("a", 50), mark("b", 40), mark("c", 200)], [("a", 0.0), ("b", 160.0), ("c", 0.0)]),
    "none": ([], []),
}


@pytest.mark.parametrize("marks, expected", STEPS.values(), ids=STEPS)
def test_steps_last_from_mark_to_mark_and_the_last_one_until_now(marks, expected):
    assert [(step["step"], step["seconds"]) for step in build(marks=marks)["steps"]] == expected


def test_simulated_nodes_are_counted():
    assert build([node("a"), node("b", simulated=True), node("c", simulated=True)])["simulated"] == 2


def test_an_empty_report_is_a_report():
    report = model.build({}, {}, {}, {}, [], {}, 0.0)
    assert report["total"] == {"nodes": 0, "gpus": 0, "shares": 0, "used": 0, "free": 0}
    assert not any(report[key] for key in ("nodes", "models", "running", "pending", "validation", "steps", "simulated"))
    assert model.digest(report)


def digest(*nodes, **more):
    return model.digest(build(nodes or [shared("a")], **more))


LASTING = {
    "another number of shares": digest(shared("a", allocatable={GPU: 16})),
    "another resource": digest(shared("a", allocatable={GPU + ".shared": 32})),
    "another strategy": digest(shared("a", strategy="mps")),
    "other replicas": digest(shared("a", replicas=8)),
    "another configuration": digest(shared("a", config="by-eight")),
    "another number of GPUs": digest(shared("a", gpus=4)),
    "one node more": digest(shared("a"), shared("b")),
    "a node that is down": digest(shared("a", ready=False)),
    "another cluster": digest(cluster={"name": "other"}),
}
PASSING = {
    "the time": digest(now=200.0),
    "steps": digest(marks=[mark("a", 1)]),
    "pods": digest(pods=[pod("p", "a"), pod("q")]),
    "devices in use": digest(shared("a", allocated={GPU: 32}, free={GPU: 0})),
    "a validation": digest(validation={"ok": True, "pods": []}),
}


@pytest.mark.parametrize("found", LASTING.values(), ids=LASTING)
def test_what_lasts_makes_a_new_report(found):
    assert found != digest()


@pytest.mark.parametrize("found", PASSING.values(), ids=PASSING)
def test_what_passes_makes_no_new_report(found):
    assert found == digest()


def test_the_order_of_the_nodes_makes_no_new_report():
    assert digest(shared("a"), node("b")) == digest(node("b"), shared("a"))
