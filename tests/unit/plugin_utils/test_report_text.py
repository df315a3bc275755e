# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in the terminal: within 100 columns, with every number whole and every problem named."""

from __future__ import annotations

import pytest

from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import validation_report
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.validation import Check, Plan
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.report import model, text

GPU = "nvidia.com/gpu"
WORDS = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: 0/3 nodes are available: 3 No victims."
LONG = "ip-192-168-100-200.eu-central-1.compute.internal"


def node(name, **more):
    base = {"name": name, "ready": True, "product": "NVIDIA-A100-SXM4-80GB", "gpus": 8, "replicas": 1, "strategy": "", "config": ""}
    return dict(dict(base, allocatable={GPU: 8}, allocated={GPU: 3}, free={GPU: 5}), **more)


def pod(name, place="", namespace="ml", **more):
    base = {"namespace": namespace, "name": name, "node": place, "phase": "Running" if place else "Pending", "resources": {GPU: 1}}
    return dict(dict(base, reason="", message=""), **more)


def build(nodes=(), pods=(), **more):
    base = {"cluster": {"name": "lab"}, "sharing": {}, "validation": {}, "marks": [], "rehearsal": {}, "now": 100.0}
    return model.build(gpus={"nodes": list(nodes), "pods": list(pods)}, **dict(base, **more))


def lines(*given, **more):
    return text.lines(build(*given, **more))


def line(found, start):
    (one,) = [each for each in found if each.lstrip().startswith(start)]
    return one


def words(found, start):
    return line(found, start).split()


def test_an_empty_report_is_one_line():
    assert lines() == ["GPU REPORT  lab  \u00b7  0 GPU nodes  \u00b7  0 GPUs"]


HEADS = {
    "one of each": ([node("a", gpus=1, allocatable={GPU: 1})], "1 GPU node  \u00b7  1 GPU"),
    "whole GPUs": ([node("a"), node("b")], "2 GPU nodes  \u00b7  16 GPUs"),
    "shared GPUs": ([node("a", gpus=1, allocatable={GPU: 4})], "1 GPU node  \u00b7  1 GPU, 4 shares"),
    "one share only": ([node("a", gpus=2, allocatable={GPU: 1})], "1 GPU node  \u00b7  2 GPUs, 1 share"),
    "nothing advertised": ([node("a", allocatable={})], "1 GPU node  \u00b7  8 GPUs, 0 shares"),
}


@pytest.mark.parametrize("nodes, expected", HEADS.values(), ids=HEADS)
def test_the_head_counts_in_singular_and_plural(nodes, expected):
    assert lines(nodes)[0] == "GPU REPORT  lab  \u00b7  " + expected


def test_the_head_names_the_version_of_the_cluster():
    assert lines(cluster={"name": "lab", "kubernetes": "Kubernetes v1.33.1"})[0].startswith("GPU REPORT  lab  \u00b7  Kubernetes v1.33.1  \u00b7  ")


def test_models_end_with_the_sum_of_all():
    found = lines([node("a"), node("b", strategy="mps", replicas=4, allocatable={GPU: 32}, free={GPU: 29})])
    assert words(found, "MODEL") == ["MODEL", "SHARING", "NODES", "GPUS", "SHARES", "IN", "USE", "FREE"]
    assert "  A100-SXM4-80GB  mps \u00d7 4      1     8      32       3    29" in found
    assert words(found, "all") == ["all", "2", "16", "40", "6", "34"]


def test_nodes_stand_in_columns_and_in_order():
    found = lines([node("gpu-10", config="by-four", strategy="time-slicing", replicas=4, allocatable={GPU: 32}, free={GPU: 29}), node("gpu-2")])
    start = found.index("  NODE    MODEL           CONFIG   SHARING           GPUS  SHARES  IN USE  FREE")
    assert found[start + 1 : start + 3] == [
        "  gpu-2   A100-SXM4-80GB           whole                8       8       3     5",
        "  gpu-10  A100-SXM4-80GB  by-four  time-slicing \u00d7 4     8      32       3    29",
    ]


def test_an_unknown_number_of_gpus_is_a_question_mark():
    found = lines([node("a", gpus=None, product="", allocatable=None, allocated=None, free=None)])
    assert words(found, "a ") == ["a", "unknown", "whole", "?", "0", "0", "0"]
    assert words(found, "all") == ["all", "1", "0", "0", "0", "0"]


def test_a_node_with_a_problem_is_marked_below_the_table():
    found = lines([node("a"), node("b", ready=False)])
    assert [each for each in found if "!" in each] == ["  ! b: the node is not Ready"]


@pytest.mark.parametrize(
    ("count", "more"),
    [(16, []), (17, ["  and 1 more node"]), (40, ["  and 24 more nodes"])],
)
def test_many_nodes_are_cut_and_counted(count, more):
    found = lines([node("gpu-%d" % number) for number in range(count)])
    assert [each for each in found if " more node" in each] == more
    assert len([each for each in found if each.startswith("  gpu-")]) == 16


def test_nodes_with_problems_are_shown_however_many_are_well():
    found = lines([node("gpu-%d" % number, ready=number not in (25, 39)) for number in range(40)])
    shown = [each.split()[0] for each in found if each.startswith("  gpu-")]
    assert shown == ["gpu-%d" % number for number in (*range(14), 25, 39)]
    assert [each for each in found if "!" in each] == ["  ! gpu-%d: the node is not Ready" % number for number in (25, 39)]


def test_running_pods_are_counted_in_singular_and_plural():
    found = lines([], [pod("p", "gpu-1", "dev"), pod("q", "gpu-1"), pod("r", "gpu-2", resources={GPU: 3})])
    start = found.index("RUNNING (devices held)")
    assert found[start + 1 :] == ["  dev: 1 pod with 1 device on gpu-1 (1)", "  ml: 2 pods with 4 devices on gpu-1 (1), gpu-2 (3)"]


@pytest.mark.parametrize(("count", "end"), [(8, "gpu-7 (1)"), (9, "gpu-7 (1), and 1 more node"), (11, "gpu-7 (1), and 3 more nodes")])
def test_at_most_eight_places_of_a_namespace_are_named(count, end):
    found = lines([], [pod("p", "gpu-%d" % number) for number in range(count)])
    assert " ".join(" ".join(found).split()).endswith(", " + end) and "gpu-8" not in " ".join(found)


def test_a_pending_pod_stands_there_with_the_schedulers_words_once():
    found = lines([], [pod("train-0", reason="Unschedulable", message=WORDS)])
    start = found.index("PENDING")
    assert found[start + 1 :] == ["  ml/train-0 wants 1 nvidia.com/gpu:", "    0/3 nodes are available: 3 Insufficient nvidia.com/gpu."]


def test_other_words_are_left_whole():
    message = "0/3 nodes are available: 3 node(s) had untolerated taint {team: x}."
    assert "    " + message in lines([], [pod("p", message=message)])


@pytest.mark.parametrize(("count", "more"), [(5, []), (6, ["  and 1 more"]), (30, ["  and 25 more"])])
def test_many_pending_pods_are_cut_and_counted(count, more):
    found = lines([], [pod("p%d" % number) for number in range(count)])
    assert len([each for each in found if " wants " in each]) == 5 and [each for each in found if each.startswith("  and ")] == more


@pytest.mark.parametrize(
    ("ok", "shown"),
    [
        pytest.param(True, "VALIDATION  2 pods.", id="passed"),
        pytest.param(False, "VALIDATION  FAILED: 2 pods.", id="failed"),
        pytest.param(None, "VALIDATION  2 pods.", id="check mode"),
    ],
)
def test_only_a_failed_validation_is_called_failed(ok, shown):
    assert lines(validation={"ok": ok, "summary": "2 pods.", "pods": []})[-1] == shown


def test_a_failure_is_told_once():
    failed = validation_report.result(Plan([Check("c", GPU, "n")], [], [], []), [validation_report.gone(Check("c", GPU, "n"))], [], "scheduling", (), False)
    assert lines(validation=failed)[-1] == "VALIDATION  FAILED: scheduling: not all of 1 pod of nvidia.com/gpu passed on 1 node."


def test_steps_stand_with_their_times():
    marks = [{"step": "device plugin", "at": 0.0}, {"step": "validation", "at": 8.0}]
    assert lines(marks=marks)[-1] == "TIME        device plugin 8.0 s, validation 1 min 32 s"


@pytest.mark.parametrize(
    ("rehearsal", "shown"),
    [({"summary": "No GPU computes."}, "No GPU computes."), ({}, "their GPUs are an answer of a program, nothing computed")],
    ids=["the rehearsal's words", "without words"],
)
def test_simulated_nodes_are_called_simulated(rehearsal, shown):
    assert lines([node("a"), node("b", simulated=True)], rehearsal=rehearsal)[-1] == "SIMULATED   1 of 2 nodes: " + shown
    assert not [each for each in lines([node("a")], rehearsal=rehearsal) if "SIMULATED" in each]


def test_parts_are_apart_by_one_empty_line():
    found = lines([node("a")], [pod("p", "a"), pod("q")], marks=[{"step": "x", "at": 0.0}])
    assert found.count("") == 5 and found[-1] and not any(not one and not two for one, two in zip(found, found[1:]))


SHARED = {"config": "by-four", "strategy": "time-slicing", "replicas": 4, "allocatable": {GPU: 1234}, "free": {GPU: 1231}}
WIDE = {
    "a long node name": build([node(LONG, **SHARED)]),
    "a long model": build([node("a", product="NVIDIA-" + "X" * 56, **SHARED)]),
    "all is long": build([dict(node("n" * 253, **SHARED), product="p" * 63, config="c" * 63)]),
    "a long problem": build([node("a")], sharing={"nodes": [{"name": "a", "reason": "the word " * 40}]}),
    "a problem of a node with a long name": build([node("n" * 253, ready=False)]),
    "a long cluster name": build(cluster={"name": "the cluster " * 12}),
    "a cluster name in one word": build(cluster={"name": "x" * 200}),
    "long pod names": build([], [pod("p" * 253, namespace="n" * 63, message="word " * 80), pod("p", LONG, namespace="n" * 63)]),
    "many places": build([], [pod("p", "%d.%s" % (number, LONG)) for number in range(20)]),
    "a long validation": build(validation={"ok": False, "summary": "word " * 60, "pods": []}),
    "many steps": build(marks=[{"step": "step %d" % number, "at": float(number)} for number in range(40)]),
    "a long summary of a rehearsal": build([node("a", simulated=True)], rehearsal={"summary": "word " * 60}),
}


@pytest.mark.parametrize("report", WIDE.values(), ids=WIDE)
def test_no_line_is_wider_than_100_columns(report):
    assert max(len(each) for each in text.lines(report)) in range(60, 101)


def test_a_long_name_is_shortened_and_the_numbers_stay_whole():
    found = lines([node(LONG, **SHARED)])
    name, *others = words(found, "ip-")
    assert others[-4:] == ["8", "1234", "3", "1231"] and "by-four" in others
    begin, end = name.split("\u2026")
    assert LONG.startswith(begin) and LONG.endswith(end) and len(begin) > 8 and len(end) > 8


def test_a_long_name_is_whole_beside_its_problem():
    assert [each for each in lines([node(LONG, ready=False)]) if "!" in each] == ["  ! %s: the node is not Ready" % LONG]


def test_a_problem_of_a_node_with_the_longest_name_can_be_read():
    assert "the node is not Ready" in "\n".join(lines([node("n" * 253, ready=False)]))


def test_a_name_is_never_torn_at_a_hyphen():
    places = ["gpu-node-with-a-name-%d" % number for number in range(8)]
    found = lines([], [pod("p", place) for place in places])
    assert [place for place in places if "%s (1)" % place not in "\n".join(found)] == []


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (10, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (60, "1 min 00 s"),
        (61.4, "1 min 01 s"),
        (119.7, "2 min 00 s"),
        (3725, "62 min 05 s"),
    ],
)
def test_a_duration_is_said_as_people_say_it(seconds, shown):
    assert text.duration(seconds) == shown
