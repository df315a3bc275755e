# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""gpu_validation on a real control plane, as the process that Ansible starts on the host.

Scheduling is proved on simulated nodes. Logs and commands inside pods go through the real API server to a second KWOK, which plays the kubelet
of a node that does not call itself simulated: what the pods say is scripted, how it is asked for and carried is not.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from ansible_collections.gpuops.kubernetes.plugins.modules import gpu_validation

from tests.contract.kubelet import ANNOTATION, SAID, kubelet

COLLECTIONS = pathlib.Path(gpu_validation.__file__).parents[5]
MODULE = gpu_validation.__name__
NODES = "/api/v1/nodes"
PODS = "/api/v1/namespaces/%s/pods"
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
HOME = "gpuops-validation"
GPU = "nvidia.com/gpu"
FAST, SLOW = {"node_selector": "pool=shared"}, {"node_selector": "pool=real", "namespace": "slow", "workload": "vectoradd"}


class Module:
    """Starts the module's process with options."""

    def __init__(self, made, directory):
        self.made, self.directory = made, directory

    def start(self, check=False, **options):
        where = {"kubeconfig": self.made.kubeconfig, "context": self.made.context, "_ansible_check_mode": check, "_ansible_remote_tmp": str(self.directory)}
        path = self.directory / "args.json"
        path.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": dict(where, **options)}))
        environment = dict(os.environ, PYTHONPATH=str(COLLECTIONS))
        return subprocess.Popen([sys.executable, "-m", MODULE, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def __call__(self, **options):
        return result_of(self.start(**options))


def result_of(process):
    output, errors = process.communicate(timeout=300)
    assert output.strip(), errors
    return json.loads(output)


def warnings_of(found):
    """Return the texts of a result's warnings, which are objects from ansible-core 2.19 on where a module hands them over by itself."""
    return [each if isinstance(each, str) else each["event"]["msg"] for each in found.get("warnings", [])]


@pytest.fixture(scope="module")
def made(testbed):
    return testbed([{"name": "shared", "nodes": 2, "labels": {"pool": "shared"}}, {"name": "cpu"}])


@pytest.fixture(scope="module")
def client(made):
    return made.client()


@pytest.fixture
def module(made, tmp_path):
    return Module(made, tmp_path)


def patch(client, path, body):
    client.request("PATCH", path, body, "application/merge-patch+json")


def advertise(client, name, count=8, resource=GPU):
    patch(client, NODES + "/" + name, {"metadata": {"labels": {"nvidia.com/gpu.present": "true"}}, "spec": {"unschedulable": None}})
    resources = {GPU: None, GPU + ".shared": None}
    resources[resource] = str(count)
    patch(client, "%s/%s/status" % (NODES, name), {"status": {"capacity": resources, "allocatable": resources}})


def names(client, path, **query):
    return [item["metadata"]["name"] for item in client.request("GET", path, query=query)["items"]]


def everything(client):
    """Return all that a validation could leave."""
    pods = [(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in client.request("GET", "/api/v1/pods")["items"]]
    jobs = client.request("GET", "/apis/batch/v1/jobs")["items"]
    return pods, jobs, names(client, "/api/v1/namespaces"), names(client, CLASSES)


@pytest.fixture(autouse=True)
def quiet(client):
    """Give each test two nodes with eight shares each, and check that it left nothing."""
    for name in ("shared-1", "shared-2"):
        advertise(client, name)
    before = everything(client)
    yield
    assert everything(client) == before


def eventually(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen within %d s" % seconds
        time.sleep(0.1)


def test_one_pod_runs_on_each_gpu_node(module):
    found = module()
    assert found["ok"] and not found["changed"] and found["simulated"] and found["skipped"] == []
    assert sorted((pod["node"], pod["phase"], pod["resource"]) for pod in found["pods"]) == [(name, "Running", GPU) for name in ("shared-1", "shared-2")]
    assert "only the scheduling is proved" in found["summary"]


def test_sixteen_run_and_the_seventeenth_stays_pending_for_want_of_a_gpu(module):
    found = module(saturate=True)
    running = [pod["node"] for pod in found["pods"] if pod["phase"] == "Running"]
    assert sorted(running) == ["shared-1"] * 8 + ["shared-2"] * 8
    assert found["pods"][-1]["phase"] == "Pending" and len(found["pods"]) == 17
    assert found["ok"] and found["pending_reason"] == "Unschedulable"
    assert "3 Insufficient nvidia.com/gpu" in found["pending_message"] and "preemptionPolicy=Never" in found["pending_message"]


def test_saturate_keeps_to_the_selected_nodes_and_to_what_is_free(module, client):
    with holding(client, "shared-1", 3):
        found = module(saturate=True, node_selector="pool in (shared),kubernetes.io/hostname notin (shared-2)")
    assert [pod["node"] for pod in found["pods"]] == ["shared-1"] * 5 + [""]
    assert "1 Insufficient nvidia.com/gpu" in found["pending_message"]


class holding:
    """A pod of somebody else that holds GPUs of a node."""

    def __init__(self, client, node, count):
        self.client, self.node, self.count = client, node, count
        self.path = PODS % "default"

    def __enter__(self):
        container = {"name": "train", "image": "train", "resources": {"limits": {GPU: str(self.count)}}}
        body = {"metadata": {"name": "train"}, "spec": {"nodeName": self.node, "containers": [container], "terminationGracePeriodSeconds": 0}}
        self.client.request("POST", self.path, body)
        eventually(lambda: self.client.request("GET", self.path + "/train")["status"].get("phase") == "Running")

    def __exit__(self, *exception):
        self.client.request("DELETE", self.path + "/train")
        eventually(lambda: "train" not in names(self.client, self.path))


def test_a_busy_node_is_skipped_with_the_reason(module, client):
    with holding(client, "shared-1", 8):
        found = module()
        refused = module(fail_on_skipped=True)
    assert found["ok"] and [pod["node"] for pod in found["pods"]] == ["shared-2"]
    assert found["skipped"] == [{"node": "shared-1", "reason": "8 of 8 nvidia.com/gpu allocated"}]
    assert refused["failed"] and "- shared-1: 8 of 8 nvidia.com/gpu allocated" in refused["msg"]


def cordon(client, name, closed=True):
    patch(client, NODES + "/" + name, {"spec": {"unschedulable": closed}})


def test_nothing_to_test_is_a_failure_with_the_reasons(module, client):
    cordon(client, "shared-1")
    cordon(client, "shared-2")
    found = module()
    assert found["failed"] and "nothing to test" in found["msg"]
    assert "- shared-1: cordoned" in found["msg"] and "- shared-2: cordoned" in found["msg"]


@pytest.mark.parametrize("check", [False, True])
def test_a_cluster_in_full_use_is_warned_of_and_does_not_fail(module, client, check):
    cordon(client, "shared-1")
    with holding(client, "shared-2", 8):
        found = module(check=check, keep=True)
        refused = module(check=check, minimum_nodes=2)
    skipped = {entry["node"]: entry["reason"] for entry in found["skipped"]}
    assert skipped == {"shared-1": "cordoned", "shared-2": "8 of 8 nvidia.com/gpu allocated"}
    assert found["ok"] is None and not found["changed"] and found["pods"] == [] and found["summary"].startswith("scheduling: nothing to test; 2 GPU nodes")
    assert "nothing was tested: no GPU node has a place for a pod (shared-1: cordoned; shared-2: 8 of 8" in warnings_of(found)[0]
    assert refused["failed"] and "0 GPU nodes can be tested, others use the GPUs of 1 more, and minimum_nodes is 2" in refused["msg"]


NONE = {
    "no GPU node": ({"node_selector": "kubernetes.io/hostname=cpu"}, "none of the 1 selected nodes has NVIDIA GPUs"),
    "no GPU node to fill": ({"node_selector": "kubernetes.io/hostname=cpu", "saturate": True, "resource": "gpu"}, "none of the 1 selected nodes"),
    "no GPU node to ask": ({"node_selector": "kubernetes.io/hostname=cpu", "workload": "nvidia_smi"}, "none of the 1 selected nodes has NVIDIA GPUs"),
    "no node that the selector matches": ({"node_selector": "pool=none"}, "no node is selected"),
    "no such runtime class either": ({"node_selector": "kubernetes.io/hostname=cpu", "runtime_class": "nvidia"}, "none of the 1 selected nodes"),
}


@pytest.mark.parametrize("options, words", NONE.values(), ids=NONE)
def test_there_may_be_nothing_to_test_where_the_user_says_so(module, options, words):
    found = module(minimum_nodes=0, **options)
    assert found["ok"] is None and not found["changed"] and found["skipped"] == [] and "nothing to test" in found["summary"], found
    assert "nothing was tested: " + words in warnings_of(found)[0]
    assert module(**options)["failed"]


def test_shares_under_another_name_are_found(module, client):
    advertise(client, "shared-2", 4, GPU + ".shared")
    found = module()
    assert {pod["node"]: pod["resource"] for pod in found["pods"]} == {"shared-1": GPU, "shared-2": GPU + ".shared"} and found["ok"]


def test_a_job_does_as_well_as_a_pod(module):
    found = module(kind="job")
    assert found["ok"] and len(found["pods"]) == 2


def test_check_mode_returns_the_plan_and_makes_nothing(module, client):
    version = client.request("GET", "/api/v1/pods")["metadata"]["resourceVersion"]
    found = module(check=True, saturate=True)
    assert found["ok"] is None and not found["changed"] and len(found["pods"]) == 17 and {pod["phase"] for pod in found["pods"]} == {""}
    assert "16 pods of nvidia.com/gpu would run" in found["summary"]
    assert client.request("GET", "/api/v1/events", query={"fieldSelector": "involvedObject.namespace=" + HOME})["items"] == [] and version


BAD = {
    "no such resource": ({"saturate": True, "resource": "nvidia.com/gpu.shared"}, "resource: 'nvidia.com/gpu.shared': none of the 3 selected nodes"),
    "a selector without a match": ({"node_selector": "pool=none"}, "node_selector: 'pool=none': matches none"),
    "a malformed selector": ({"node_selector": "pool=("}, "node_selector: 'pool=(': not a label selector"),
    "an own workload without an image": ({"workload": "custom"}, "image: '': workload custom has no image"),
    "a pattern that is none": ({"workload": "custom", "image": "x", "success_pattern": "("}, "success_pattern: '(': not a regular expression"),
    "no such runtime class": ({"runtime_class": "nvidia"}, "runtime_class: 'nvidia': there is no such RuntimeClass"),
}


@pytest.mark.parametrize("options, words", BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name(module, options, words):
    refused = module(**options)
    assert refused["failed"] and words in refused["msg"] and "fix: " in refused["msg"] and "before anything was changed" in refused["msg"]


def test_a_namespace_of_others_stays_and_must_not_be_too_strict(module, client):
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    client.request("POST", "/api/v1/namespaces", {"metadata": {"name": "team", "labels": labels}})
    try:
        assert module(namespace="team")["ok"]
        refused = module(namespace="team", workload="dcgmproftester")
        assert refused["failed"] and "namespace: 'team': enforces the Pod Security level restricted" in refused["msg"]
        assert "team" in names(client, "/api/v1/namespaces") and names(client, PODS % "team") == []
    finally:
        client.request("DELETE", "/api/v1/namespaces/team")
        eventually(lambda: "team" not in names(client, "/api/v1/namespaces"))


def test_too_few_rights_are_refused_before_the_first_write(module, client, made, tmp_path):
    rules = "/apis/rbac.authorization.k8s.io/v1/"
    account = client.request("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "reader"}})["metadata"]["name"]
    rights = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]
    client.request("POST", rules + "clusterroles", {"metadata": {"name": "reads"}, "rules": rights})
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": "default"}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reads"}
    client.request("POST", rules + "clusterrolebindings", {"metadata": {"name": "reads"}, "roleRef": role, "subjects": subjects})
    token = client.request("POST", "/api/v1/namespaces/default/serviceaccounts/reader/token", {"spec": {}})["status"]["token"]
    path = tmp_path / "kubeconfig"
    path.write_text(with_token(made.kubeconfig, token))
    refused = module(kubeconfig=str(path), saturate=True)
    for right in ("create pods in namespace " + HOME, "delete namespaces in the whole cluster", "create priorityclasses.scheduling.k8s.io"):
        assert "may not " + right in refused["msg"]


def with_token(kubeconfig, token):
    import yaml

    config = yaml.safe_load(pathlib.Path(kubeconfig).read_text())
    config["users"][0]["user"] = {"token": token}
    return yaml.safe_dump(config)


# From here on: a node that plays a real one.


@pytest.fixture(scope="module")
def real(made, client, tmp_path_factory):
    """Add the node real-1; return the folder of the programs that its pods have."""
    with kubelet(made, tmp_path_factory.mktemp("kubelet")) as (port, programs):
        try:
            add_node(client, "real-1", port)
            eventually(lambda: is_ready(client, "real-1"))
            yield programs
        finally:
            client.request("DELETE", NODES + "/real-1")


def add_node(client, name, port):
    labels = {"pool": "real", "nvidia.com/gpu.present": "true", "kubernetes.io/hostname": name}
    client.request("POST", NODES, {"metadata": {"name": name, "labels": labels, "annotations": ANNOTATION}})
    resources = {GPU: "2", "cpu": "8", "memory": "32Gi", "pods": "110"}
    status = {"capacity": resources, "allocatable": resources, "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}
    status["addresses"] = [{"type": "InternalIP", "address": "127.0.0.1"}]
    patch(client, "%s/%s/status" % (NODES, name), {"status": status})


def is_ready(client, name):
    conditions = client.request("GET", NODES + "/" + name)["status"].get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def test_a_log_with_the_words_of_success_proves_a_real_node(module, real):
    for kind in ("pod", "job"):
        found = module(node_selector="pool=real", namespace="good", workload="vectoradd", kind=kind)
        assert found["ok"] and not found["simulated"] and "imulated" not in found["summary"], found
        assert [(pod["node"], pod["phase"], pod["log_tail"]) for pod in found["pods"]] == [("real-1", "Succeeded", "\n".join(SAID["good"]))]


def test_a_log_without_them_fails_although_the_pod_ended_well(module, real):
    found = module(node_selector="pool=real", namespace="empty", workload="vectoradd")
    assert found["failed"] and found["ok"] is False and found["pods"][0]["reason"] == "NoSuccessInLog"
    assert "no CUDA-capable device is detected" in found["msg"] and "does not match 'Test PASSED'" in found["msg"]


def test_a_pod_that_fails_is_shown_with_exit_code_events_and_log(module, real):
    found = module(node_selector="pool=real", namespace="broken", workload="custom", image="own:1", success_pattern="PASSED", capabilities=["SYS_ADMIN"])
    assert found["failed"] and "pod %s on node real-1 is Failed (Error: container check ended with exit code 127)" % found["pods"][0]["name"] in found["msg"]
    assert "- event Normal Scheduled: Successfully assigned" in found["msg"] and "libcuda.so.1" in found["msg"]


def test_a_pod_that_is_never_done_is_shown_with_what_it_waits_for(module, real):
    found = module(timeout=5, **SLOW)
    assert found["failed"] and "1 of 1 pods failed or were not done after 5 s" in found["msg"] and found["pods"][0]["phase"] == "Running"


def test_pods_that_somebody_removes_are_named(module, client, real):
    process = module.start(**SLOW)
    path = PODS % "slow"
    eventually(lambda: running(client))
    for name in names(client, path):
        client.request("DELETE", path + "/" + name)
    found = result_of(process)
    assert found["failed"] and "is Gone (Removed: somebody removed it" in found["msg"]


def running(client, namespace="slow"):
    return [pod for pod in client.request("GET", PODS % namespace)["items"] if pod["status"]["phase"] == "Running"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_that_is_ended_cleans_up(module, client, real, number):
    process = module.start(**SLOW)
    eventually(lambda: running(client))
    process.send_signal(number)
    # The second one, of somebody in a hurry, does not stop the clean-up.
    process.send_signal(number)
    found = result_of(process)
    assert found["failed"] and "Ended by %s." % signal.Signals(number).name in found["msg"]


def test_what_a_killed_run_left_is_removed_by_the_next(module, client, real):
    kill_one(module, client)
    found = module(**dict(SLOW, workload="scheduling"))
    assert found["ok"] and "1 of its pods were removed first" in warnings_of(found)[0]
    # Two pods fit on the node: the leftover was not counted as somebody's work.
    kill_one(module, client)
    assert len(module(saturate=True, **dict(SLOW, workload="scheduling"))["pods"]) == 3


def test_what_a_killed_run_left_is_removed_also_where_nothing_can_be_tested(module, client, real):
    kill_one(module, client)
    cordon(client, "real-1")
    try:
        found = module(minimum_nodes=0, **SLOW)
    finally:
        cordon(client, "real-1", False)
    assert found["ok"] is None and "real-1: cordoned" in warnings_of(found)[0] and "1 of its pods were removed first" in warnings_of(found)[1]
    assert "slow" not in names(client, "/api/v1/namespaces")


def kill_one(module, client):
    process = module.start(**SLOW)
    eventually(lambda: running(client))
    process.kill()
    process.communicate()
    assert running(client)


def test_state_absent_removes_what_a_saturating_run_kept(module, client, real):
    options = dict(SLOW, workload="scheduling", saturate=True, keep=True)
    foreseen = module(check=True, **options)
    assert foreseen["changed"] and not running(client)
    kept = module(**options)
    assert kept["ok"] and kept["changed"] and len(running(client)) == 2
    assert kept["diff"] == {"before": "", "after": "".join(pod["name"] + "\n" for pod in kept["pods"])}
    assert len(foreseen["diff"]["after"].split()) == len(kept["pods"])
    assert "gpuops-validation-slow" in names(client, CLASSES)
    predicted = module(check=True, state="absent", namespace="slow")
    assert running(client)
    removed = module(state="absent", namespace="slow")
    assert removed["changed"] and removed["removed"] == predicted["removed"]
    assert removed["removed"] == ["pods in namespace slow", "PriorityClass gpuops-validation-slow", "namespace slow"]
    assert removed["diff"] == predicted["diff"] == {"before": "\n".join(removed["removed"]) + "\n", "after": ""}
    again = module(state="absent", namespace="slow")
    assert not again["changed"] and again["removed"] == []


def plugin_pod(node):
    container = {"name": "nvidia-device-plugin-ctr", "image": "plugin", "command": ["nvidia-device-plugin"]}
    body = {"name": "plugin-" + node, "namespace": "default"}
    return {"metadata": body, "spec": {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 0}}


SMI = {
    "a GPU": ("echo 'GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)'", None),
    "no such program": (None, "executable file not found"),
    "no driver": ("echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9", "exit status 9"),
    "no GPU": ("echo 'No devices were found'", "does not match"),
}


@pytest.mark.parametrize("script, problem", SMI.values(), ids=SMI)
def test_nvidia_smi_runs_inside_the_plugins_pod(module, client, real, script, problem):
    command = real / "nvidia-smi"
    command.unlink(missing_ok=True)
    if script:
        command.write_text("#!/bin/sh\n%s\n" % script)
        command.chmod(0o755)
    path = PODS % "default"
    for node in ("real-1", "shared-1"):
        client.request("POST", path, plugin_pod(node))
    try:
        eventually(lambda: len(running(client, "default")) == 2)
        found = module(workload="nvidia_smi", node_selector="pool")
        alone = module(workload="nvidia_smi", node_selector="kubernetes.io/hostname in (real-1, shared-1)")
    finally:
        for node in ("real-1", "shared-1"):
            client.request("DELETE", "%s/plugin-%s" % (path, node))
        eventually(lambda: not running(client, "default"))
    # shared-2 has no pod of the plugin.
    assert found["failed"] and "NoDevicePlugin" in str(found["pods"])
    logs = {pod["node"]: (pod["phase"], pod["log_tail"]) for pod in alone["pods"]}
    assert logs["shared-1"] == ("Running", "") and alone["simulated"]
    if problem:
        assert alone["failed"] and problem in alone["msg"] and bool(logs["real-1"][1]) is bool(script)
    else:
        assert alone["ok"] and logs["real-1"][0] == "Succeeded" and logs["real-1"][1].startswith("GPU 0: NVIDIA A100")
