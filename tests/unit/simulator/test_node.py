# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One simulated node by table: what is written for what is observed."""

from __future__ import annotations

import copy
import types

import pytest

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator import kubelet, node as nodes, status
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator.components import GFD, MPS_DAEMON, PLUGIN

from . import objects

GPU, SHARED, LABEL = "nvidia.com/gpu", "nvidia.com/gpu.shared", "nvidia.com/device-plugin.config"
FILES = types.MappingProxyType(
    {
        "default": "version: v1",
        "ts4": objects.shared(4),
        "renamed": objects.shared(3, renameByDefault="true"),
        "mps": objects.shared(5, "mps"),
        "mps-many": objects.shared(49, "mps"),
        "strict": objects.shared(4, failRequestsGreaterThanOne="true"),
        "broken": objects.shared(1),
    }
)


class Node:
    """A node, its pods and its memory; what is decided is applied to them as the API server and KWOK would."""

    def __init__(self, *pods, files=FILES, **node):
        self.object = objects.node_object(**node)
        self.pods = {pod["metadata"]["uid"]: pod for pod in pods}
        self.files = files
        self.memory = None
        self.now = 1000.0
        self.around = {}
        self.outcome = None

    def settle(self, seconds=0.0, label=None, fault=None, **around):
        """Let time pass and decide until nothing is written any more."""
        self.now += seconds
        self.around.update(around)
        if label is not None:
            self.object["metadata"]["labels"][LABEL] = label
        if fault is not None:
            self.object["metadata"]["annotations"][nodes.FAULT] = fault
        for unused in range(20):
            self._decide()
            if self._apply() == 0:
                return self
        raise AssertionError("it never settles: %s" % (self.outcome,))

    def _decide(self):
        around = objects.moment(self.now, self.files, **self.around)
        views = [view for view in map(objects.view, self.pods.values()) if view]
        self.memory, self.outcome = nodes.decide(nodes.view(self.object), views, self.memory, around)

    def _apply(self):
        written = 0
        for patch in (self.outcome.node_patch, self.outcome.status_patch):
            if patch:
                merge(self.object, patch)
                written += 1
        for write in self.outcome.pods:
            pod = self.pods[write.pod.uid]
            before = copy.deepcopy(pod)
            if write.kind == nodes.STATUS:
                merge(pod, status.patch(pod, write.content, self.now))
            elif write.kind == nodes.RELEASE:
                merge(pod, status.release_patch())
                pod["status"] = objects.status_of_kwok(pod["spec"])
            elif pod["status"]["phase"] != "Failed":
                merge(pod, status.rejected(write.content, self.now))
            written += pod != before
        return written

    def add(self, *pods):
        """Bind pods to the node."""
        self.pods.update((pod["metadata"]["uid"], pod) for pod in pods)
        return self

    def remove(self, name):
        """Delete a pod."""
        del self.pods["uid-" + name]
        return self

    def resources(self):
        """Return the GPUs of the node: resource -> (capacity, allocatable)."""
        capacity, allocatable = (self.object["status"][each] for each in ("capacity", "allocatable"))
        return {name: (capacity[name], allocatable[name]) for name in capacity if name.startswith("nvidia.com/")}

    def label(self, name):
        """Return a label of the node without its prefix nvidia.com/."""
        return self.object["metadata"]["labels"].get("nvidia.com/" + name)

    def pod(self, name):
        """Return (phase, Ready, reasons of waiting containers) of a pod."""
        phase, ready, parts = status.summary(self.pods["uid-" + name]["status"])
        return phase, ready, [part[4] for part in parts if part[3] == "waiting"]


def merge(target, patch):
    """Apply a JSON merge patch in place."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            merge(target.setdefault(key, {}), value)
        else:
            target[key] = value


def stack(*more):
    """Return plugin and GFD pods."""
    return [objects.component(PLUGIN, "plugin"), objects.component(GFD, "gfd")] + list(more)


@pytest.mark.parametrize(
    "label, resources, product, replicas, strategy",
    [
        ("", {GPU: ("2", "2")}, "NVIDIA-A100-SXM4-80GB", "1", "none"),
        ("ts4", {GPU: ("8", "8")}, "NVIDIA-A100-SXM4-80GB-SHARED", "4", "time-slicing"),
        ("renamed", {SHARED: ("6", "6")}, "NVIDIA-A100-SXM4-80GB", "3", "time-slicing"),
        ("mps", {}, "NVIDIA-A100-SXM4-80GB-SHARED", "5", "mps"),
        # plugin and GFD start with the label's config, and both refuse it
        ("broken", {}, None, None, None),
        ("gone", {GPU: ("2", "2")}, "NVIDIA-A100-SXM4-80GB", "1", "none"),
    ],
)
def test_what_a_node_advertises(label, resources, product, replicas, strategy):
    node = Node(*stack()).settle(label=label)
    assert node.resources() == resources
    assert [node.label("gpu." + key) for key in ("product", "replicas", "sharing-strategy")] == [product, replicas, strategy]
    assert node.label("gpu.count") == ("2" if product else None)


def test_nothing_without_pods_that_run():
    assert Node().settle().resources() == {}
    assert Node(objects.component(PLUGIN, "plugin", phase="Pending")).settle().resources() == {}
    assert Node(objects.component(GFD, "gfd")).settle().resources() == {}
    assert Node(objects.component(PLUGIN, "plugin")).settle().label("gpu.count") is None


def test_gfd_labels_wait_for_nfd_master():
    node = Node(*stack()).settle(master=False)
    assert node.label("gpu.product") is None
    assert node.settle(master=True).label("gpu.product") == "NVIDIA-A100-SXM4-80GB"
    assert "nvidia.com/gpu.product" in node.object["metadata"]["annotations"]["nfd.node.kubernetes.io/feature-labels"]


def test_labels_stay_when_gfd_dies_and_go_with_its_daemon_set():
    node = Node(*stack()).settle(label="ts4").remove("gfd").settle(label="")
    assert (node.label("gpu.replicas"), node.resources()[GPU]) == ("4", ("2", "2"))
    node.settle(owners=frozenset(["ds-" + PLUGIN]))
    assert node.label("gpu.replicas") is None
    assert node.object["metadata"]["labels"] == {LABEL: ""}


def test_nfd_worker_and_the_prune_job():
    worker = objects.plain("nfd-worker", "worker", files=objects.CONFIG_MAP)
    files = {"nfd-worker.conf": "sources: {pci: {deviceClassWhitelist: ['03'], deviceLabelFields: [vendor]}}"}
    node = Node(worker, files=files, labels={"mine": "1"}).settle()
    assert node.object["metadata"]["labels"]["feature.node.kubernetes.io/pci-10de.present"] == "true"
    node.remove("worker").settle(master=False, owners=frozenset())
    assert "feature.node.kubernetes.io/pci-10de.present" in node.object["metadata"]["labels"], "nobody is there to take it off"
    node.settle(prunes=frozenset(["job"]))
    assert node.object["metadata"]["labels"] == {"mine": "1"}
    assert "nfd.node.kubernetes.io/feature-labels" not in node.object["metadata"]["annotations"]


def test_a_cpu_node_gets_no_gpu_label():
    worker = objects.plain("nfd-worker", "worker", files=objects.CONFIG_MAP)
    labels = Node(worker, files={"nfd-worker.conf": ""}, model=None).settle().object["metadata"]["labels"]
    assert "feature.node.kubernetes.io/kernel-version.full" in labels
    assert not any("pci-" in name for name in labels)


def test_a_plugin_on_a_node_without_gpus_crashes():
    node = Node(objects.component(PLUGIN, "plugin"), model=None).settle()
    assert node.pod("plugin") == ("Running", "False", ["CrashLoopBackOff"])
    assert node.resources() == {}


def test_a_plugin_that_goes_leaves_capacity_for_five_minutes():
    node = Node(*stack()).settle().remove("plugin").settle()
    assert node.resources() == {GPU: ("2", "0")}
    assert node.outcome.wake_at == node.now + 300.0
    assert node.settle(299.0).resources() == {GPU: ("2", "0")}
    assert node.settle(1.0).resources() == {GPU: ("0", "0")}
    assert node.add(objects.component(PLUGIN, "new")).settle().resources() == {GPU: ("2", "2")}


def test_a_renamed_resource_leaves_the_old_one_behind():
    node = Node(*stack()).settle(label="ts4").settle(label="renamed")
    assert node.resources() == {GPU: ("8", "0"), SHARED: ("6", "6")}
    assert node.settle(300.0).resources() == {GPU: ("0", "0"), SHARED: ("6", "6")}


def test_a_broken_config_takes_the_devices_away():
    node = Node(*stack()).settle(label="ts4").settle(label="broken")
    assert node.resources() == {GPU: ("8", "0")}
    assert node.pod("plugin") == ("Running", "False", ["CrashLoopBackOff"])
    assert node.label("gpu.replicas") == "4", "GFD crashes as well; its labels stay"
    words = [part[6] for part in status.summary(node.pods["uid-plugin"]["status"])[2]]
    assert words[2].endswith("number of replicas must be >= 2")
    for unused in range(8):
        node.settle(100.0, label="ts4")
    assert node.resources() == {GPU: ("8", "8")}
    assert node.pod("plugin") == ("Running", "True", [])


def test_mps_waits_for_its_daemon():
    node = Node(*stack()).settle(label="mps")
    assert (node.resources(), node.label("mps.capable")) == ({}, "true")
    node.add(objects.component(MPS_DAEMON, "daemon", signals="/usr/bin/mps-control-daemon")).settle(1.0)
    assert node.resources() == {}, "the plugin tries again every 30 seconds"
    assert node.outcome.wake_at is not None
    assert node.settle(30.0).resources() == {GPU: ("10", "10")}
    # Its sidecar crashes for ever: no process has the name that the chart tells it to signal.
    assert node.pod("daemon") == ("Running", "False", ["CrashLoopBackOff"])
    assert node.remove("daemon").settle(60.0).resources() == {GPU: ("10", "10")}, "nothing checks its health later"


def test_mps_beyond_the_ceiling():
    daemon = objects.component(MPS_DAEMON, "daemon", signals=MPS_DAEMON)
    node = Node(*stack(daemon)).settle(label="mps-many").settle(60.0)
    assert node.resources() == {}
    words = [part[6] for part in status.summary(node.pods["uid-daemon"]["status"])[2]]
    assert any("maximum allowed replicas exceeded: 49 > 48" in each for each in words)


def test_a_daemon_without_mps_in_its_config_is_of_no_use():
    daemon = objects.component(MPS_DAEMON, "daemon", signals="/usr/bin/mps-control-daemon")
    node = Node(*stack(daemon)).settle().settle(60.0, label="mps").settle(300.0)
    assert node.resources() == {GPU: ("0", "0")}, "it started with the default and was never told of the change"


@pytest.mark.parametrize(
    "label, count, rejected", [("strict", 2, True), ("strict", 1, False), ("ts4", 2, False), ("", 2, False), ("gone", 2, False)]
)
def test_requests_for_more_than_one_replica(label, count, rejected):
    node = Node(*stack()).settle(label=label).add(objects.consumer("user", count)).settle()
    found = node.pods["uid-user"]["status"]
    assert found["phase"] == ("Failed" if rejected else "Pending")
    if rejected:
        assert found["reason"] == "UnexpectedAdmissionError"
        assert "maximum request size for shared resources is 1; found %d" % count in found["message"]
        found.update(phase="Running")
        assert node.settle().pods["uid-user"]["status"]["phase"] == "Failed", "KWOK may set it running over the refusal"


def test_pods_that_run_already_stay_when_the_config_changes():
    node = Node(*stack()).settle(label="ts4").add(objects.consumer("user", 2, phase="Running")).settle().settle(label="strict")
    assert node.pods["uid-user"]["status"]["phase"] == "Running"


def test_fault_never_ready():
    node = Node(*stack()).settle(label="ts4").settle(fault="never-ready")
    assert node.resources() == {GPU: ("8", "0")}
    phase, ready, waiting = node.pod("plugin")
    assert (phase, ready, set(waiting)) == ("Pending", "False", {"ContainerCreating"})
    assert node.label("gpu.replicas") == "4"
    node.settle(1.0, fault="").settle(1.0)
    assert (node.resources(), node.pod("plugin")[:2]) == ({GPU: ("8", "8")}, ("Running", "True"))


def test_fault_never_ready_stops_a_pod_before_it_runs():
    node = Node(objects.component(PLUGIN, "plugin", phase="Pending"), fault="never-ready").settle()
    assert node.pod("plugin")[:2] == ("Pending", "False")
    assert node.pods["uid-plugin"]["status"]["containerStatuses"], "a pod that somebody reports on is not KWOK's"


def test_fault_stale_capacity():
    node = Node(*stack()).settle().settle(fault="stale-capacity", label="ts4").settle(400.0)
    assert node.resources() == {GPU: ("2", "2")}
    assert (node.label("gpu.replicas"), node.pod("plugin")[:2]) == ("4", ("Running", "True"))
    assert node.settle(fault="").resources() == {GPU: ("8", "8")}


def test_fault_crash():
    node = Node(*stack()).settle(label="ts4").settle(fault="crash")
    assert node.resources() == {GPU: ("8", "0")}
    assert node.pod("plugin") == ("Running", "False", ["CrashLoopBackOff"])
    node.settle(30.0)
    for unused in range(5):
        node.settle(100.0, fault="")
    assert (node.resources(), node.pod("plugin")) == ({GPU: ("8", "8")}, ("Running", "True", []))


def test_a_missing_config_map_holds_the_plugin():
    pod = objects.component(PLUGIN, "plugin", phase="Pending")
    node = Node(pod, files=None).settle(config_maps={(objects.NAMESPACE, objects.CONFIG_MAP): None})
    assert node.pod("plugin")[0] == "Pending"
    assert "ContainerCreating" in node.pod("plugin")[2]
    node.settle(config_maps={(objects.NAMESPACE, objects.CONFIG_MAP): FILES}).settle()
    assert (node.pod("plugin")[:2], node.resources()) == (("Running", "True"), {GPU: ("2", "2")})


def test_a_config_map_that_was_not_read_yet_decides_nothing():
    node = Node(*stack(), files=None).settle()
    assert (node.resources(), node.pod("plugin")[:2]) == ({}, ("Running", "True"))


def test_unreadable_hardware_is_no_hardware():
    node = objects.node_object()
    node["metadata"]["annotations"][nodes.HARDWARE] = "{}"
    assert nodes.view(node).hardware is None


def test_other_gpus_are_a_reboot():
    node = Node(*stack()).settle(label="ts4")
    replaced = objects.node_object(model="T4", gpus=4)
    node.object["metadata"]["annotations"].update(replaced["metadata"]["annotations"])
    assert node.settle().resources() == {GPU: ("16", "16")}
    assert node.label("gpu.product") == "Tesla-T4-SHARED"


def test_a_simulator_that_starts_anew_takes_the_node_as_it_is():
    node = Node(*stack()).settle(label="ts4").add(objects.consumer("user", 2, phase="Running"))
    before = copy.deepcopy(node.object["status"])
    node.memory = None
    node.settle(label="strict", prunes=frozenset(["an old job"]))
    assert node.object["status"] == before
    assert node.pods["uid-user"]["status"]["phase"] == "Running"
    node.remove("plugin").remove("gfd")
    node.memory = None
    assert node.settle(label="").resources() == {GPU: ("8", "0")}, "kubelet's checkpoint knows the resource"
    assert node.label("gpu.replicas") == "4"


def test_what_an_earlier_simulator_wrote_to_a_pod_is_put_right():
    node = Node(*stack()).settle(fault="crash")
    node.memory = None
    assert node.settle(fault="").pod("plugin") == ("Running", "True", [])


def test_status_patch_writes_what_differs_only():
    endpoints = {GPU: kubelet.Endpoint(8), SHARED: kubelet.Endpoint(6, stopped_at=1.0)}
    have = {GPU: "8"}, {GPU: "8"}
    assert kubelet.status_patch(endpoints, *have) == {"status": {"capacity": {SHARED: "6"}, "allocatable": {SHARED: "0"}}}
    assert kubelet.status_patch({GPU: kubelet.Endpoint(8)}, *have) is None
    assert kubelet.status_patch({}, {GPU: "0"}, {GPU: "0"}) is None
