# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sums over nodes and pods."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.inventory import inventory, is_gpu_node
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.nodes import node_record, pending_reason, pod_record, pod_resources


def raw_node(name="a", labels=None, gpus="8", annotations=None, unschedulable=False):
    status = {"conditions": [{"type": "Ready", "status": "True"}], "capacity": {"cpu": "4"}, "allocatable": {"cpu": "4"}}
    if gpus is not None:
        status["capacity"]["nvidia.com/gpu"] = status["allocatable"]["nvidia.com/gpu"] = gpus
    return {"metadata": {"name": name, "labels": labels or {}, "annotations": annotations or {}}, "spec": {"unschedulable": unschedulable}, "status": status}


def raw_pod(name, gpus, node="", namespace="ml"):
    container = {"resources": {"limits": {"nvidia.com/gpu": str(gpus)}}} if gpus else {}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"nodeName": node, "containers": [container]}, "status": {"phase": "Running"}}


def test_a_cluster_is_summed_up_by_node_model_and_namespace():
    labels = {"nvidia.com/gpu.count": "2", "nvidia.com/gpu.product": "Tesla-T4", "nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.sharing-strategy": "mps"}
    nodes = [node_record(raw_node("a", labels)), node_record(raw_node("b", labels)), node_record(raw_node("cpu", gpus=None))]
    pods = [pod_record(raw_pod("p1", 3, "a")), pod_record(raw_pod("p2", 1, "b", "other")), pod_record(raw_pod("p3", 1))]
    found = inventory(nodes, pods)
    assert [(n["name"], n["gpus"], n["replicas"], n["strategy"], n["allocated"], n["free"]) for n in found["nodes"]] == [
        ("a", 2, 4, "mps", {"nvidia.com/gpu": 3}, {"nvidia.com/gpu": 5}),
        ("b", 2, 4, "mps", {"nvidia.com/gpu": 1}, {"nvidia.com/gpu": 7}),
    ]
    assert found["totals"] == {"nvidia.com/gpu": {"capacity": 16, "allocatable": 16, "allocated": 4, "free": 12}}
    assert found["models"] == [
        {"product": "Tesla-T4", "nodes": 2, "gpus": 4, "allocatable": {"nvidia.com/gpu": 16}, "allocated": {"nvidia.com/gpu": 4}}
    ]
    assert found["namespaces"] == [{"namespace": "ml", "resources": {"nvidia.com/gpu": 3}}, {"namespace": "other", "resources": {"nvidia.com/gpu": 1}}]
    assert [pod["name"] for pod in found["pods"]] == ["p1", "p2", "p3"]


def test_a_pod_without_gpus_is_left_out():
    assert pod_record(raw_pod("p", 0)) is None


@pytest.mark.parametrize(
    "spec, held",
    [
        ({"containers": [{"resources": {"limits": {"nvidia.com/gpu": "1"}}}] * 2}, 2),
        ({"containers": [{}], "initContainers": [{"resources": {"limits": {"nvidia.com/gpu": "3"}}}]}, 3),
        ({"containers": [{"resources": {"limits": {"nvidia.com/gpu": "2"}}}], "initContainers": [{"resources": {"limits": {"nvidia.com/gpu": "1"}}}]}, 2),
        ({"containers": [{}], "initContainers": [{"restartPolicy": "Always", "resources": {"limits": {"nvidia.com/gpu": "1"}}}]}, 1),
    ],
    ids=["containers add up", "the largest init container counts", "init containers run before", "sidecars add up"],
)
def test_a_pod_holds_what_the_scheduler_counts(spec, held):
    assert pod_resources(spec) == {"nvidia.com/gpu": held}


@pytest.mark.parametrize("label", ["nvidia.com/gpu.present", "feature.node.kubernetes.io/pci-10de.present"])
def test_a_labelled_node_without_resources_is_a_gpu_node(label):
    assert is_gpu_node(node_record(raw_node(labels={label: "true"}, gpus=None)))
    assert not is_gpu_node(node_record(raw_node(labels={label: "false"}, gpus=None)))


@pytest.mark.parametrize("resource, gpu", [("nvidia.com/hostdev", False), ("nvidia.com/gpu.shared", True), ("nvidia.com/mig-1g.10gb", True)])
def test_a_network_device_makes_no_gpu_node(resource, gpu):
    record = dict(node_record(raw_node(gpus=None)), capacity={resource: 2})
    assert is_gpu_node(record) is gpu


def test_a_node_that_lost_gpus_is_below_zero():
    (node,) = inventory([node_record(raw_node("a", gpus="1"))], [pod_record(raw_pod("p", 2, "a"))])["nodes"]
    assert node["free"] == {"nvidia.com/gpu": -1}


def test_cordoned_and_simulated_nodes_are_told_apart():
    record = node_record(raw_node(annotations={"kwok.x-k8s.io/node": "fake"}, unschedulable=True))
    assert (record["simulated"], record["schedulable"], record["ready"]) == (True, False, True)


def test_the_reason_is_in_the_schedulers_words():
    status = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes are available"}]}
    assert pending_reason(status) == ("Unschedulable", "0/2 nodes are available")
    waiting = {"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}}]}
    assert pending_reason(waiting) == ("CrashLoopBackOff", "back-off")
    assert pending_reason({}) == ("", "")
