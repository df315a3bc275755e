# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The testbed on itself: what runs, how it comes back after a crash, and that it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import cluster, credentials, fleet, processes, state
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.client import MERGE_PATCH, ApiError, Client

COMMAND = [sys.executable, "-m", "ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed"]
PODS = "/api/v1/namespaces/default/pods"
NODES = [{"name": "t4", "nodes": 2, "model": "T4", "gpus": 2, "labels": {"pool": "gpu"}}, {"name": "cpu", "cpus": 8, "memory": "32Gi"}]


def eventually(look, seconds=120):
    """Return the first true answer of look()."""
    deadline = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        assert time.monotonic() < deadline, "did not come: %s" % look.__name__
        time.sleep(0.1)


def workload(kind, name, limits=None, **spec):
    """Return a DaemonSet or Deployment of one container."""
    containers = [{"name": "main", "image": "none", "resources": {"limits": limits or {}}}]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}}
    spec.update(selector={"matchLabels": {"app": name}}, template=template)
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def pods_of(client, app):
    return client.request("GET", PODS, query={"labelSelector": "app=" + app})["items"]


def running(client, app, count):
    """Return the pods of an app, once that many of them run and are ready."""

    def that_many_run():
        pods = pods_of(client, app)
        ready = [pod for pod in pods if any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))]
        return pods if len(ready) == count and all(pod["status"]["phase"] == "Running" for pod in ready) else None

    return eventually(that_many_run)


@pytest.fixture(scope="module")
def made(testbed):
    return testbed(NODES)


@pytest.fixture(scope="module")
def client(made):
    return made.client()


def test_nodes_are_ready_and_as_described(made, client):
    nodes = {node["metadata"]["name"]: node for node in client.request("GET", "/api/v1/nodes")["items"]}
    assert sorted(nodes) == sorted(made.nodes) == ["cpu", "t4-1", "t4-2"]
    assert all(fleet.is_ready(node) for node in nodes.values())
    assert nodes["cpu"]["status"]["allocatable"]["cpu"] == "8"
    assert nodes["t4-1"]["metadata"]["labels"]["pool"] == "gpu"
    assert "nvidia.com/gpu" not in nodes["t4-1"]["status"]["capacity"], "GPUs come with the device plugin, not before"


def test_a_daemon_set_gets_one_running_pod_on_each_node(made, client):
    client.request("POST", "/apis/apps/v1/namespaces/default/daemonsets", workload("DaemonSet", "everywhere"))
    pods = running(client, "everywhere", 3)
    assert sorted(pod["spec"]["nodeName"] for pod in pods) == sorted(made.nodes)
    assert all(pod["status"]["podIP"] and pod["status"]["hostIP"] for pod in pods)


def test_pods_run_until_the_gpus_are_taken_and_the_next_says_why_it_waits(client):
    room = {"status": {field: {"nvidia.com/gpu": "2"} for field in ("capacity", "allocatable")}}
    client.request("PATCH", "/api/v1/nodes/cpu/status", room, MERGE_PATCH)
    limits = {"nvidia.com/gpu": "1"}
    client.request("POST", "/apis/apps/v1/namespaces/default/deployments", workload("Deployment", "hungry", limits, replicas=3))
    pods = running(client, "hungry", 2)
    waiting = [pod for pod in pods if pod["status"]["phase"] == "Pending"]
    assert len(waiting) == 1

    def scheduler_says_why():
        fields = "involvedObject.name=%s,reason=FailedScheduling" % waiting[0]["metadata"]["name"]
        events = client.request("GET", "/api/v1/namespaces/default/events", query={"fieldSelector": fields})["items"]
        return [event["message"] for event in events if "Insufficient nvidia.com/gpu" in event["message"]]

    assert eventually(scheduler_says_why)


def test_a_job_ends_with_success(client):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": {"template": template}}
    client.request("POST", "/apis/batch/v1/namespaces/default/jobs", job)
    path = "/apis/batch/v1/namespaces/default/jobs/once"
    assert eventually(lambda: client.request("GET", path)["status"].get("succeeded")) == 1


def test_a_status_that_somebody_else_wrote_is_left_alone(client):
    pod = {"metadata": {"name": "broken"}, "spec": {"containers": [{"name": "main", "image": "none"}]}}
    client.request("POST", PODS, pod)
    eventually(lambda: client.request("GET", PODS + "/broken")["status"]["phase"] == "Running")
    waiting = {"name": "main", "image": "none", "imageID": "", "ready": False, "restartCount": 3}
    waiting["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    client.request("PATCH", PODS + "/broken/status", {"status": {"phase": "Pending", "containerStatuses": [waiting]}}, MERGE_PATCH)
    # A pod that came later has run, so KWOK has seen the change of this one.
    client.request("POST", PODS, dict(pod, metadata={"name": "later"}))
    eventually(lambda: client.request("GET", PODS + "/later")["status"]["phase"] == "Running")
    status = client.request("GET", PODS + "/broken")["status"]["containerStatuses"][0]
    assert status["state"] == {"waiting": {"reason": "CrashLoopBackOff"}}


def test_a_deleted_pod_goes(client):
    client.request("POST", PODS, {"metadata": {"name": "short"}, "spec": {"containers": [{"name": "main", "image": "none"}]}})
    eventually(lambda: client.request("GET", PODS + "/short")["status"]["phase"] == "Running")
    client.request("DELETE", PODS + "/short")

    def gone():
        try:
            client.request("GET", PODS + "/short")
        except ApiError as error:
            return error.status == 404
        return False

    assert eventually(gone)


def test_a_second_up_changes_nothing_and_a_changed_description_only_what_it_says(made, client):
    before = {node["metadata"]["name"]: node["metadata"] for node in client.request("GET", "/api/v1/nodes")["items"]}
    options = cluster.Options(configmap_delay=(1.0, 2.0))
    assert cluster.preview(made.name, NODES, options=options) == []
    again = cluster.up(made.name, NODES, options=options)
    assert again.changes == () and again.instance == made.instance
    after = {node["metadata"]["name"]: node["metadata"] for node in client.request("GET", "/api/v1/nodes")["items"]}
    assert after == before

    changed = [dict(NODES[0], nodes=3, labels={"rack": "r1"}, taints=[{"key": "gpu", "effect": "NoSchedule"}])]
    foreseen = cluster.preview(made.name, changed, options=options)
    third = cluster.up(made.name, changed, options=options)
    assert list(third.changes) == foreseen == ["create 1 node (t4-3)", "change 2 nodes (t4-1, t4-2)", "remove 1 node (cpu)"]
    nodes = {node["metadata"]["name"]: node for node in client.request("GET", "/api/v1/nodes")["items"]}
    assert sorted(nodes) == ["t4-1", "t4-2", "t4-3"]
    for node in nodes.values():
        assert node["metadata"]["labels"]["rack"] == "r1" and "pool" not in node["metadata"]["labels"]
        assert node["spec"]["taints"] == [{"key": "gpu", "effect": "NoSchedule"}]
    assert cluster.up(made.name, changed, options=options).changes == ()


def test_an_api_server_that_was_killed_comes_back_with_its_data_on_its_port(made):
    cluster.kill_api_server(made.name)
    with pytest.raises(ApiError) as caught:
        made.client().request("GET", "/readyz")
    assert caught.value.status == 0
    assert cluster.status(made.name)["state"] == "degraded"
    cluster.start_api_server(made.name)
    assert cluster.status(made.name)["state"] == "running"
    assert cluster.get(made.name).server == made.server


@pytest.mark.parametrize("victim", ["etcd", "kube-apiserver", "kwok", "simulator"])
def test_up_repairs_what_was_killed(made, victim):
    record = next(each for each in state.load(made.directory)["processes"] if each["name"] == victim)
    os.kill(record["pid"], signal.SIGKILL)
    eventually(lambda: not processes.alive(record))
    foreseen = cluster.preview(made.name)
    repaired = cluster.up(made.name)
    assert list(repaired.changes) == foreseen == ["restart " + victim]
    assert repaired.instance == made.instance
    assert cluster.status(made.name)["state"] == "running"


def test_an_api_server_that_is_only_slow_is_waited_for(made):
    server = next(each for each in state.load(made.directory)["processes"] if each["name"] == "kube-apiserver")
    os.kill(server["pid"], signal.SIGSTOP)
    said = []

    def hear(text):
        said.append(text)
        os.kill(server["pid"], signal.SIGCONT)

    try:
        again = cluster.up(made.name, progress=hear)
    finally:
        os.kill(server["pid"], signal.SIGCONT)
    assert said == ["waiting for %s to answer" % made.server]
    assert again.changes == () and again.instance == made.instance


def refusal(client):
    with pytest.raises(ApiError) as caught:
        client.request("GET", "/api/v1/nodes")
    return caught.value.status


def test_another_instance_runs_beside_and_both_leave_nothing(made, tmp_path):
    # Under a directory of its own, as with a machine that is used by two people.
    other = cluster.up("beside", [{"name": "lonely"}], state_dir=tmp_path)
    try:
        assert other.server != made.server and other.instance != made.instance
        assert other.client().request("GET", "/api/v1/nodes")["items"][0]["metadata"]["name"] == "lonely"
        token, authority = (credentials.read_token(made.directory), made.directory / "pki" / "ca.crt")
        assert refusal(Client(other.server, token, other.directory / "pki" / "ca.crt")) == 401, "a token of one opens the other"
        assert refusal(Client(other.server, token, authority)) == 0, "the CA of one vouches for the other"
        started = state.load(other.directory)["processes"]
        assert all(processes.alive(each) for each in started)
    finally:
        assert cluster.down("beside", state_dir=tmp_path)
    assert not any(processes.alive(each) for each in started)
    assert not other.directory.exists() and not processes.marked(other.directory)
    assert not cluster.down("beside", state_dir=tmp_path)
    assert cluster.status(made.name)["state"] == "running"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "polite kill"])
def test_an_interrupted_up_ends_what_it_started(tmp_path, number):
    directory = tmp_path / "testbed" / "cut"
    environment = dict(os.environ, GPUOPS_STATE_DIR=str(tmp_path))
    up = subprocess.Popen(COMMAND + ["up", "--name", "cut"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    eventually(lambda: len(processes.marked(directory)) > 1)
    up.send_signal(number)
    said = up.communicate()[1]
    assert up.returncode == 1 and "interrupted" in said, said
    assert not processes.marked(directory) and not (directory / "state.json").exists()


def test_what_a_killed_up_left_is_cleared_by_the_next_command(tmp_path):
    directory = tmp_path / "testbed" / "cut"
    environment = dict(os.environ, GPUOPS_STATE_DIR=str(tmp_path))
    up = subprocess.Popen(COMMAND + ["up", "--name", "cut"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: len(processes.marked(directory)) > 1)
    up.kill()
    up.wait()
    left = processes.marked(directory)
    assert left
    subprocess.run(COMMAND + ["down", "--name", "cut"], env=environment, check=True)
    assert not any(processes.alive(each) for each in left) and not directory.exists()


def test_the_command_line_says_what_is_wrong_with_its_input(tmp_path):
    nodes = tmp_path / "nodes.yml"
    nodes.write_text("gpu_simulated_nodes: [{name: a, model: T5, gpus: 2}, {name: b, modle: T4}]\n")
    environment = dict(os.environ, GPUOPS_STATE_DIR=str(tmp_path))
    done = subprocess.run(COMMAND + ["up", "--nodes", str(nodes)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "gpu_simulated_nodes[0].model: 'T5'" in done.stderr and "T4" in done.stderr
    assert "gpu_simulated_nodes[1].modle: 'T4'" in done.stderr and "did you mean model?" in done.stderr
    assert not (tmp_path / "testbed").exists()
