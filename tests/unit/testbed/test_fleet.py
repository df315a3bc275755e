# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the nodes that are to the nodes that should be: only what we declare changes, and nothing does twice."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import fleet, nodes


def describe(model, gpus, driver_version):
    return {"product": model, "gpus": gpus}


def wanted(**description):
    return nodes.manifests([dict({"name": "n"}, **description)], describe)


def live(manifests):
    """Return the nodes as a server would: with what other parties wrote on them."""
    result = copy.deepcopy(manifests)
    for node in result:
        node["metadata"]["labels"]["nvidia.com/gpu.count"] = "8"
        node["metadata"]["annotations"]["nfd.node.kubernetes.io/master.version"] = "1"
        node["spec"].setdefault("taints", []).append({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})
        node["status"]["capacity"]["nvidia.com/gpu"] = "8"
    return result


def test_a_missing_node_is_created_and_one_too_many_removed():
    plan = fleet.plan(live(wanted(name="old")), wanted(name="new"))
    assert [node["metadata"]["name"] for node in plan.create] == ["new"]
    assert plan.remove == ["old"] and not plan.change
    assert plan.lines() == ["create 1 node (new)", "remove 1 node (old)"]


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"model": "T4", "gpus": 8, "fault": "crash"},
        {"labels": {"a": "b"}, "taints": [{"key": "x", "value": "y", "effect": "NoSchedule"}]},
        {"memory": "1024Mi"},
    ],
    ids=["plain", "gpu", "labels and taints", "memory that the server writes otherwise"],
)
def test_the_same_description_again_changes_nothing(description):
    there = live(wanted(**description))
    for node in there:
        for room in (node["status"]["capacity"], node["status"]["allocatable"]):
            room["memory"] = {"1024Mi": "1Gi"}.get(room["memory"], room["memory"])
    assert not fleet.plan(there, wanted(**description))


def test_labels_that_are_no_longer_declared_go_and_those_of_others_stay():
    plan = fleet.plan(live(wanted(labels={"a": "1", "b": "2"})), wanted(labels={"b": "3", "c": "4"}))
    assert plan.change["n"]["node"]["metadata"]["labels"] == {"a": None, "b": "3", "c": "4"}
    assert plan.change["n"]["status"] is None


def test_a_declared_label_that_somebody_took_off_comes_back():
    there = live(wanted(labels={"a": "1"}))
    del there[0]["metadata"]["labels"]["a"]
    assert fleet.plan(there, wanted(labels={"a": "1"})).change["n"]["node"] == {"metadata": {"labels": {"a": "1"}}}


def test_hardware_and_fault_follow_the_description():
    plan = fleet.plan(live(wanted(model="T4", fault="crash")), wanted(model="A2"))
    annotations = plan.change["n"]["node"]["metadata"]["annotations"]
    assert annotations[nodes.FAULT] is None and '"A2"' in annotations[nodes.HARDWARE]


def test_taints_of_others_stay():
    plan = fleet.plan(live(wanted(taints=[{"key": "a", "effect": "NoSchedule"}])), wanted(taints=[{"key": "b", "effect": "NoExecute"}]))
    foreign = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    assert plan.change["n"]["node"]["spec"]["taints"] == [foreign, {"key": "b", "effect": "NoExecute"}]


def test_room_changes_and_gpus_stay():
    plan = fleet.plan(live(wanted(cpus=64)), wanted(cpus=32, memory="256Gi"))
    room = {"cpu": "32", "memory": "256Gi"}
    assert plan.change["n"]["status"] == {"status": {"capacity": room, "allocatable": room}}


def test_long_lists_of_names_are_shortened():
    plan = fleet.plan([], wanted(nodes=1000))
    assert plan.lines() == ["create 1000 nodes (n-1 ... n-1000)"]


def node(ready, *taints):
    conditions = [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": ready}]
    return {"status": {"conditions": conditions}, "spec": {"taints": [{"key": key, "effect": "NoSchedule"} for key in taints]}}


@pytest.mark.parametrize(
    "given, expected",
    [
        (node("True"), True),
        (node("True", "dedicated"), True),
        (node("True", "node.kubernetes.io/not-ready"), False),
        (node("False"), False),
        (node("Unknown"), False),
        ({"status": {}, "spec": {}}, False),
    ],
)
def test_ready_means_condition_true_and_taint_gone(given, expected):
    assert fleet.is_ready(given) is expected


class FailingClient:
    """Refuses the node called bad."""

    def __init__(self):
        self.created = []

    def request(self, method, path, body=None, content_type=None, query=None):
        if body["metadata"]["name"] == "bad":
            raise fleet.ApiError(403, "Forbidden", "no")
        if body["metadata"]["name"] == "there":
            raise fleet.ApiError(409, "AlreadyExists", "is there")
        self.created.append(body["metadata"]["name"])


def test_an_error_while_creating_is_raised_and_a_node_that_came_meanwhile_is_none():
    client = FailingClient()
    fleet.apply(client, fleet.plan([], wanted(name="there") + wanted(name="good")), print)
    assert client.created == ["good"]
    with pytest.raises(fleet.ApiError, match="403 Forbidden: no"):
        fleet.apply(client, fleet.plan([], wanted(name="bad")), print)
