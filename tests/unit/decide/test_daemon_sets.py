# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which GPU nodes a release has not counted yet, and which it never will."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.daemon_sets import shut_out, uncounted, uncounted_problems

DEDICATED = {"key": "dedicated", "value": "ada", "effect": "NoSchedule"}
GPU = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def daemon_set(*tolerations, tools=("gpu-feature-discovery",)):
    return {"namespace": "gpu", "name": "gfd", "tools": tools, "tolerations": tolerations}


def node(name, taints=(), ready=True, **labels):
    return {"name": name, "ready": ready, "taints": taints, "capacity": {}, "labels": dict({"nvidia.com/gpu.present": "true"}, **labels)}


def test_nodes_without_a_count_are_late_where_the_release_counts():
    nodes = [node("b"), node("a"), node("counted", **{"nvidia.com/gpu.count": "2"}), node("down", ready=False), dict(node("cpu"), labels={})]
    assert uncounted([daemon_set()], nodes) == ["a", "b"]
    assert uncounted([daemon_set(tools=("nvidia-device-plugin",))], nodes) == []


OUT = {
    "a taint that is not tolerated": ([DEDICATED], [GPU], True),
    "a tolerated one": ([DEDICATED], [GPU, {"key": "dedicated", "operator": "Exists"}], False),
    "one that only prefers": ([dict(DEDICATED, effect="PreferNoSchedule")], [], False),
    "one that kubelet put there": ([{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}], [], False),
    "one behind it": ([{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, DEDICATED], [], True),
}


@pytest.mark.parametrize("taints, tolerations, out", OUT.values(), ids=OUT)
def test_a_node_is_shut_out_by_a_taint_that_its_pods_do_not_tolerate(taints, tolerations, out):
    found = shut_out([daemon_set(*tolerations)], [node("a", taints)])
    assert bool(found) == out
    if out:
        assert found[0].startswith("node a: its taint dedicated=ada:NoSchedule is not tolerated by DaemonSet gpu/gfd; fix: add {key: dedicated,")


def test_a_node_that_is_served_is_not_shut_out_whatever_its_taints():
    assert shut_out([daemon_set()], [node("a", [DEDICATED], **{"nvidia.com/gpu.count": "2"})]) == []


def test_late_nodes_are_a_problem_that_names_them():
    assert uncounted_problems([daemon_set()], [node("a"), node("b")]) == ["GPU feature discovery has not counted the GPUs of a, b yet"]
    (text,) = uncounted_problems([daemon_set()], [node("n%02d" % number) for number in range(12)])
    assert text.endswith("n09 and 2 more yet")
    assert uncounted_problems([daemon_set()], []) == []


def test_many_nodes_are_not_all_named():
    found = shut_out([daemon_set()], [node("n%d" % number, [DEDICATED]) for number in range(15)])
    assert len(found) == 11 and found[-1] == "and 5 more nodes"
