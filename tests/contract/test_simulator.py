# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator on a real control plane: real DaemonSets from the stand-in chart, simulated GPUs.

The tests follow each other on one cluster: two nodes with two GPUs, and one without.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import cluster
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.client import MERGE_PATCH, ApiError

CHART = Path(__file__).resolve().parents[2] / "roles" / "rehearsal" / "files" / "charts" / "nvidia-device-plugin"
NODES = [{"name": "a100", "nodes": 2, "model": "A100-SXM4-80GB", "gpus": 2}, {"name": "cpu"}]
NAMESPACE, PLUGIN = "nvidia-device-plugin", "nvdp-nvidia-device-plugin"
GPU, SHARED = "nvidia.com/gpu", "nvidia.com/gpu.shared"
CONFIG, FAULT = "nvidia.com/device-plugin.config", "gpuops.kubernetes/simulated-fault"


def shares(replicas, strategy="timeSlicing", **options):
    """Return a device plugin config that shares nvidia.com/gpu."""
    more = "".join("%s: %s, " % item for item in options.items())
    return "version: v1\nsharing: {%s: {%sresources: [{name: nvidia.com/gpu, replicas: %d}]}}\n" % (strategy, more, replicas)


CONFIGS = {
    "default": "version: v1\n",
    "four": shares(4),
    "renamed": shares(3, renameByDefault="true"),
    "mps": shares(5, "mps"),
    "strict": shares(4, failRequestsGreaterThanOne="true"),
    "broken": shares(1),
    "edited": shares(2),
}


class Fleet:
    """The cluster as the tests look at it and change it."""

    def __init__(self, made):
        self.made = made
        self.client = made.client()

    def helm(self, *arguments):
        """Run helm on this cluster."""
        command = [self.made.helm, "--kubeconfig", self.made.kubeconfig, "--namespace", NAMESPACE] + list(arguments)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def node(self, name):
        """Return a node."""
        return self.client.request("GET", "/api/v1/nodes/" + name)

    def patch(self, name, labels=None, annotations=None):
        """Set labels and annotations of a node; None removes one."""
        patch = {"metadata": {"labels": labels or {}, "annotations": annotations or {}}}
        self.client.request("PATCH", "/api/v1/nodes/" + name, patch, MERGE_PATCH)

    def use(self, name, config):
        """Label a node with a config."""
        self.patch(name, labels={CONFIG: config})

    def resources(self, name):
        """Return the GPUs of a node: resource -> (capacity, allocatable)."""
        status = self.node(name)["status"]
        return {key: (count, status["allocatable"].get(key)) for key, count in status["capacity"].items() if key.startswith("nvidia.com/")}

    def labels(self, name):
        """Return what GFD says of a node's GPUs: (product, replicas, strategy)."""
        labels = self.node(name)["metadata"]["labels"]
        return tuple(labels.get("nvidia.com/gpu." + key) for key in ("product", "replicas", "sharing-strategy"))

    def daemon_set(self, name):
        """Return (desired, ready) of a DaemonSet."""
        status = self.client.request("GET", "/apis/apps/v1/namespaces/%s/daemonsets/%s" % (NAMESPACE, name))["status"]
        return status["desiredNumberScheduled"], status["numberReady"]

    def pod(self, node, program="nvidia-device-plugin-ctr"):
        """Return the newest component pod on a node that has this container, or None."""
        query = {"fieldSelector": "spec.nodeName=" + node}
        pods = self.client.request("GET", "/api/v1/namespaces/%s/pods" % NAMESPACE, query=query)["items"]
        found = [pod for pod in pods if any(each["name"] == program for each in pod["spec"]["containers"])]
        return found[-1] if found else None

    def waiting(self, node, program="nvidia-device-plugin-ctr"):
        """Return {container: (reason, last words)} of the containers of a component that wait."""
        statuses = (self.pod(node, program) or {}).get("status", {}).get("containerStatuses", [])
        return {
            each["name"]: (each["state"]["waiting"].get("reason"), each.get("lastState", {}).get("terminated", {}).get("message"))
            for each in statuses
            if "waiting" in each["state"]
        }

    def set_configs(self, **changes):
        """Change keys of the ConfigMap."""
        path = "/api/v1/namespaces/%s/configmaps/gpu-sharing" % NAMESPACE
        self.client.request("PATCH", path, {"data": changes}, MERGE_PATCH)


def eventually(look, wanted, seconds=120):
    """Wait until look() returns what is wanted."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen == wanted:
            return
        assert time.monotonic() < deadline, "still %r, not %r" % (seen, wanted)
        time.sleep(0.1)


def stays(look, wanted, seconds=3.0):
    """Look again and again that nothing changes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert look() == wanted
        time.sleep(0.2)


@pytest.fixture(scope="module")
def fleet(testbed):
    fleet = Fleet(testbed(NODES))
    fleet.client.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    config_map = {"metadata": {"name": "gpu-sharing"}, "data": CONFIGS}
    fleet.client.request("POST", "/api/v1/namespaces/%s/configmaps" % NAMESPACE, config_map)
    return fleet


@pytest.fixture(scope="module")
def installed(fleet):
    fleet.helm("install", "nvdp", str(CHART), "--set", "gfd.enabled=true,config.name=gpu-sharing")
    return fleet


@pytest.fixture
def plain(installed):
    """Return the fleet without labels and faults, every pod healthy, two GPUs a node."""
    for name in ("a100-1", "a100-2"):
        installed.patch(name, labels={CONFIG: None}, annotations={FAULT: None})
    for name in ("a100-1", "a100-2"):
        eventually(lambda name=name: installed.resources(name).get(GPU), ("2", "2"))
    eventually(lambda: installed.daemon_set(PLUGIN), (2, 2))
    eventually(lambda: installed.daemon_set(PLUGIN + "-gpu-feature-discovery"), (2, 2))
    return installed


def test_before_the_chart_there_are_no_gpus(fleet):
    assert fleet.resources("a100-1") == {}
    assert not any(label.startswith("nvidia.com/") for label in fleet.node("a100-1")["metadata"]["labels"])


def test_without_nfd_and_label_the_chart_wants_no_pod(fleet):
    fleet.helm("install", "nvdp", str(CHART), "--set", "config.name=gpu-sharing")
    stays(lambda: fleet.daemon_set(PLUGIN), (0, 0))
    fleet.patch("a100-1", labels={"nvidia.com/gpu.present": "true"})
    eventually(lambda: fleet.resources("a100-1"), {GPU: ("2", "2")})
    assert fleet.daemon_set(PLUGIN) == (1, 1)
    assert fleet.labels("a100-1") == (None, None, None), "nobody runs GPU feature discovery"
    fleet.patch("a100-1", labels={"nvidia.com/gpu.present": None})
    eventually(lambda: fleet.resources("a100-1"), {GPU: ("2", "0")})
    fleet.helm("uninstall", "nvdp", "--wait")


def test_with_nfd_exactly_the_gpu_nodes_follow(plain):
    assert plain.daemon_set("nvdp-node-feature-discovery-worker") == (3, 3)
    assert plain.daemon_set(PLUGIN) == (2, 2)
    assert plain.daemon_set(PLUGIN + "-mps-control-daemon") == (0, 0)
    for name in ("a100-1", "a100-2"):
        eventually(lambda name=name: plain.labels(name), ("NVIDIA-A100-SXM4-80GB", "1", "none"))
        assert plain.node(name)["metadata"]["labels"]["feature.node.kubernetes.io/pci-10de.present"] == "true"
    assert plain.resources("cpu") == {}
    assert plain.labels("cpu") == (None, None, None)


def test_time_slicing_makes_sixteen_of_four(plain):
    for name in ("a100-1", "a100-2"):
        plain.use(name, "four")
    for name in ("a100-1", "a100-2"):
        eventually(lambda name=name: plain.resources(name), {GPU: ("8", "8")})
        eventually(lambda name=name: plain.labels(name), ("NVIDIA-A100-SXM4-80GB-SHARED", "4", "time-slicing"))


def test_one_node_renames_the_other_does_not(plain):
    plain.use("a100-1", "renamed")
    eventually(lambda: plain.resources("a100-1").get(SHARED), ("6", "6"))
    eventually(lambda: plain.labels("a100-1"), ("NVIDIA-A100-SXM4-80GB", "3", "time-slicing"))
    # At first it is 2 and 0; kubelet's period of grace is short here.
    eventually(lambda: plain.resources("a100-1")[GPU], ("0", "0"))
    assert plain.resources("a100-2") == {GPU: ("2", "2")}


def test_a_changed_config_map_changes_no_node(plain):
    plain.use("a100-1", "edited")
    eventually(lambda: plain.resources("a100-1")[GPU], ("4", "4"))
    plain.set_configs(edited=shares(6))
    stays(lambda: plain.resources("a100-1")[GPU], ("4", "4"), seconds=5.0)
    plain.client.request("DELETE", "/api/v1/namespaces/%s/pods/%s" % (NAMESPACE, plain.pod("a100-1")["metadata"]["name"]))
    eventually(lambda: plain.resources("a100-1")[GPU], ("12", "12"))


def test_mps_runs_its_daemon_on_that_node(plain):
    plain.use("a100-1", "mps")
    eventually(lambda: plain.labels("a100-1"), ("NVIDIA-A100-SXM4-80GB-SHARED", "5", "mps"))
    eventually(lambda: plain.resources("a100-1")[GPU], ("10", "10"))
    assert plain.daemon_set(PLUGIN + "-mps-control-daemon")[0] == 1
    assert plain.pod("a100-2", "mps-control-daemon-ctr") is None
    # As in release 0.20.0: its sidecar never finds the process that it is to signal (k8s-device-plugin#1827).
    sidecar = {"mps-control-daemon-sidecar": ("CrashLoopBackOff", "error finding pid: no process found")}
    eventually(lambda: plain.waiting("a100-1", "mps-control-daemon-ctr"), sidecar)


def test_a_label_without_a_config_crashes_the_sidecar_until_there_is_one(plain):
    plain.use("a100-1", "four")
    eventually(lambda: plain.resources("a100-1")[GPU], ("8", "8"))
    plain.use("a100-1", "nobody")
    sidecar = {"nvidia-device-plugin-sidecar": ("CrashLoopBackOff", "specified config nobody does not exist")}
    eventually(lambda: plain.waiting("a100-1"), sidecar)
    eventually(lambda: plain.daemon_set(PLUGIN), (2, 1))
    # The sidecar goes back to the default each time it starts.
    eventually(lambda: plain.resources("a100-1")[GPU], ("2", "2"))
    assert plain.resources("a100-2") == {GPU: ("2", "2")}
    plain.set_configs(nobody=shares(7))
    eventually(lambda: plain.resources("a100-1")[GPU], ("14", "14"))
    eventually(lambda: plain.daemon_set(PLUGIN), (2, 2))
    restarts = {each["name"]: each["restartCount"] for each in plain.pod("a100-1")["status"]["containerStatuses"]}
    assert restarts["nvidia-device-plugin-sidecar"] > 0
    assert restarts["nvidia-device-plugin-ctr"] == 0
    plain.set_configs(nobody=None)


def test_a_broken_config_takes_the_gpus_away(plain):
    plain.use("a100-1", "broken")
    eventually(lambda: plain.resources("a100-1")[GPU][1], "0")
    eventually(lambda: plain.waiting("a100-1").get("nvidia-device-plugin-ctr", ("", ""))[0], "CrashLoopBackOff")
    assert plain.waiting("a100-1")["nvidia-device-plugin-ctr"][1].endswith("number of replicas must be >= 2")
    plain.use("a100-1", "four")
    eventually(lambda: plain.resources("a100-1")[GPU], ("8", "8"))


def consumer(name, count):
    limits = {"resources": {"limits": {GPU: str(count)}}}
    spec = {"nodeSelector": {"kubernetes.io/hostname": "a100-1"}, "containers": [dict(limits, name="c", image="none")]}
    return {"metadata": {"name": name}, "spec": spec}


def test_a_request_for_two_replicas_is_refused_at_admission(plain):
    plain.use("a100-1", "strict")
    eventually(lambda: plain.resources("a100-1")[GPU], ("8", "8"))
    pods = "/api/v1/namespaces/default/pods"
    for name, count in (("one", 1), ("two", 2)):
        plain.client.request("POST", pods, consumer(name, count))

    def phases():
        return tuple(plain.client.request("GET", "%s/%s" % (pods, name))["status"]["phase"] for name in ("one", "two"))

    eventually(phases, ("Running", "Failed"))
    stays(phases, ("Running", "Failed"))
    status = plain.client.request("GET", pods + "/two")["status"]
    assert status["reason"] == "UnexpectedAdmissionError"
    assert "maximum request size for shared resources is 1; found 2" in status["message"]
    events = plain.client.request("GET", "/api/v1/namespaces/default/events", query={"fieldSelector": "involvedObject.name=two"})["items"]
    assert "UnexpectedAdmissionError" in {each["reason"] for each in events}
    for name in ("one", "two"):
        plain.client.request("DELETE", "%s/%s" % (pods, name), {"gracePeriodSeconds": 0})


def test_fault_never_ready(plain):
    plain.patch("a100-1", annotations={FAULT: "never-ready"})
    eventually(lambda: plain.daemon_set(PLUGIN), (2, 1))
    eventually(lambda: plain.resources("a100-1")[GPU][1], "0")
    assert {reason for reason, unused in plain.waiting("a100-1").values()} == {"ContainerCreating"}
    name = plain.pod("a100-1")["metadata"]["name"]
    plain.client.request("DELETE", "/api/v1/namespaces/%s/pods/%s" % (NAMESPACE, name))
    eventually(lambda: (plain.pod("a100-1") or {"metadata": {"name": name}})["metadata"]["name"] != name, True)
    eventually(lambda: plain.daemon_set(PLUGIN), (2, 1))
    plain.patch("a100-1", annotations={FAULT: None})
    eventually(lambda: plain.resources("a100-1")[GPU], ("2", "2"))
    eventually(lambda: plain.daemon_set(PLUGIN), (2, 2))


def test_fault_stale_capacity(plain):
    plain.patch("a100-1", annotations={FAULT: "stale-capacity"})
    plain.use("a100-1", "four")
    eventually(lambda: plain.labels("a100-1")[1], "4")
    stays(lambda: plain.resources("a100-1")[GPU], ("2", "2"))
    plain.patch("a100-1", annotations={FAULT: None})
    eventually(lambda: plain.resources("a100-1")[GPU], ("8", "8"))


def test_fault_crash(plain):
    plain.patch("a100-1", annotations={FAULT: "crash"})
    eventually(lambda: plain.resources("a100-1")[GPU][1], "0")
    words = ("CrashLoopBackOff", "error starting plugins: simulated fault: crash")
    eventually(lambda: plain.waiting("a100-1").get("nvidia-device-plugin-ctr"), words)
    plain.patch("a100-1", annotations={FAULT: None})
    eventually(lambda: plain.resources("a100-1")[GPU], ("2", "2"))


def test_it_goes_on_after_the_api_server_was_away(plain):
    name = plain.made.name
    cluster.kill_api_server(name)
    cluster.start_api_server(name)
    plain.use("a100-1", "four")
    eventually(lambda: plain.resources("a100-1")[GPU], ("8", "8"))
    assert all(each["alive"] for each in cluster.status(name)["processes"])


def test_it_leaves_other_nodes_alone(plain):
    """A node that is not KWOK's gets nothing, whatever runs there."""
    node = plain.node("a100-1")
    annotations = {"gpuops.kubernetes/simulated-gpu": node["metadata"]["annotations"]["gpuops.kubernetes/simulated-gpu"]}
    metadata = {"name": "real", "labels": {"feature.node.kubernetes.io/pci-10de.present": "true"}, "annotations": annotations}
    plain.client.request("POST", "/api/v1/nodes", {"metadata": metadata, "status": {"capacity": {"pods": "10"}, "allocatable": {"pods": "10"}}})
    pod = plain.pod("a100-2")
    copy = {"metadata": {"name": "plugin-on-real"}, "spec": dict(pod["spec"], nodeName="real")}
    copy["spec"].pop("affinity", None)
    pods = "/api/v1/namespaces/%s/pods" % NAMESPACE
    plain.client.request("POST", pods, copy)
    plain.client.request("PATCH", pods + "/plugin-on-real/status", {"status": {"phase": "Running"}}, MERGE_PATCH)
    plain.use("a100-2", "four")
    eventually(lambda: plain.resources("a100-2")[GPU], ("8", "8"))
    assert plain.resources("real") == {}
    plain.client.request("DELETE", pods + "/plugin-on-real", {"gracePeriodSeconds": 0})
    plain.client.request("DELETE", "/api/v1/nodes/real")


def test_it_refuses_a_cluster_that_it_was_not_started_for(plain, tmp_path):
    """The marker in the cluster is another instance's than the one in the state directory."""
    copy = tmp_path / "instance"
    (copy / "pki").mkdir(parents=True)
    state = (plain.made.directory / "state.json").read_text(encoding="utf-8")
    (copy / "state.json").write_text(state.replace(plain.made.instance, "0123456789abcdef"), encoding="utf-8")
    for name in ("token", "ca.crt"):
        (copy / "pki" / name).write_bytes((plain.made.directory / "pki" / name).read_bytes())
    module = "ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator"
    command = [sys.executable, "-m", module, "--state-dir", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=_environment())
    assert done.returncode == 1
    assert "not 0123456789abcdef" in done.stdout


def _environment():
    """Return an environment in which a new interpreter finds the collection."""
    return dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))


def test_uninstalling_prunes_the_labels(plain):
    plain.helm("uninstall", "nvdp", "--wait")
    eventually(lambda: plain.resources("a100-1")[GPU], ("0", "0"))

    def left():
        labels = plain.node("a100-1")["metadata"]["labels"]
        return [name for name in labels if name.startswith(("feature.node.kubernetes.io/", "nvidia.com/"))]

    eventually(left, [])
    with pytest.raises(ApiError):
        plain.daemon_set(PLUGIN)
