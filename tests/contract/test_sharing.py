# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""gpu_sharing and gpu_nodes_info on a real API server, as whole ansible-playbook runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

NODES = "/api/v1/nodes"
CONFIG_MAP = "/api/v1/namespaces/nvidia-device-plugin/configmaps/gpu-sharing"
LABEL = "nvidia.com/device-plugin.config"


def by(name="by-four", replicas=4, **more):
    return dict({"name": name, "strategy": "time_slicing", "resources": [{"name": "nvidia.com/gpu", "replicas": replicas}]}, **more)


class Runner:
    """Runs one task of the collection against one cluster."""

    def __init__(self, made, directory):
        self.made, self.directory = made, directory
        (directory / "hosts").write_text("localhost ansible_connection=local ansible_python_interpreter=%s\n" % sys.executable)

    def __call__(self, module, *flags, **options):
        return self.many([(module, options)], *flags)[0]

    def many(self, calls, *flags):
        """Run the tasks in one play and return their results; a task that fails does not end the play."""
        tasks = [task for number, (module, options) in enumerate(calls) for task in self._tasks(number, module, options)]
        path = self.directory / "play.json"
        path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        command = ["ansible-playbook", "-i", str(self.directory / "hosts"), str(path), *flags]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, done.stdout
        return [json.loads(self._result(number).read_text()) for number in range(len(calls))]

    def _tasks(self, number, module, options):
        where = {"kubeconfig": self.made.kubeconfig, "context": self.made.context}
        task = {"gpuops.kubernetes." + module: dict(where, **options), "register": "result"}
        caught = {"ansible.builtin.set_fact": {"result": "{{ ansible_failed_result }}"}}
        kept = {"content": "{{ result | to_json }}", "dest": str(self._result(number)), "mode": "0600"}
        yield {"block": [task], "rescue": [caught]}
        yield {"ansible.builtin.copy": kept, "check_mode": False}

    def _result(self, number):
        return self.directory / ("result-%d" % number)


@pytest.fixture(scope="module")
def made(testbed):
    # Nodes without simulated hardware: these tests play discovery and plugin themselves, step by step.
    return testbed([{"name": "t4", "nodes": 3, "labels": {"pool": "t4"}}, {"name": "cpu"}])


@pytest.fixture
def task(made, tmp_path):
    return Runner(made, tmp_path)


@pytest.fixture(autouse=True)
def empty(made):
    """Give each test a cluster on which GPU discovery has run and nothing is shared yet."""
    client = made.client()
    for name in ("t4-1", "t4-2", "t4-3"):
        labels = {"nvidia.com/gpu.present": "true", "nvidia.com/gpu.count": "2", "nvidia.com/gpu.replicas": "1", LABEL: None}
        labels.update({"nvidia.com/gpu.compute.major": "7", "nvidia.com/gpu.compute.minor": "5", "nvidia.com/gpu.sharing-strategy": "none"})
        patch(client, NODES + "/" + name, {"metadata": {"labels": labels, "annotations": {"gpuops.kubernetes/labels": None}}})
        resources = {"nvidia.com/gpu": "2"}
        patch(client, NODES + "/" + name + "/status", {"status": {"capacity": resources, "allocatable": resources}})
    client.request("DELETE", CONFIG_MAP) if exists(client) else None
    return client


def patch(client, path, body):
    client.request("PATCH", path, body, "application/merge-patch+json")


def exists(client):
    return bool(client.request("GET", CONFIG_MAP.rpartition("/")[0], query={"fieldSelector": "metadata.name=gpu-sharing"})["items"])


def versions(client):
    """Return what a write would change; heartbeats of the nodes are left out."""
    nodes = client.request("GET", NODES)["items"]
    found = {node["metadata"]["name"]: (node["metadata"]["labels"], node["metadata"]["annotations"]) for node in nodes}
    maps = client.request("GET", "/api/v1/configmaps", query={"fieldSelector": "metadata.name=gpu-sharing"})["items"]
    namespaces = client.request("GET", "/api/v1/namespaces")["items"]
    return found, [each["metadata"]["resourceVersion"] for each in maps], sorted(each["metadata"]["name"] for each in namespaces)


def test_configurations_are_written_assigned_and_left_alone_the_second_time(task, empty):
    options = {"configs": [by(), by("by-two", 2)], "default": "by-two", "node_configs": [{"config": "by-four", "nodes": ["t4-1"]}], "wait": False}
    first = task("gpu_sharing", **options)
    assert first["changed"], first
    stored = empty.request("GET", CONFIG_MAP)
    assert sorted(stored["data"]) == ["by-four", "by-two", "default"] and stored["data"]["default"] == stored["data"]["by-two"]
    assert empty.request("GET", NODES + "/t4-1")["metadata"]["labels"][LABEL] == "by-four"
    assert LABEL not in empty.request("GET", NODES + "/t4-2")["metadata"]["labels"]
    before = versions(empty)
    second = task("gpu_sharing", **options)
    assert not second["changed"] and second["actions"] == []
    assert versions(empty) == before
    expected = {node["name"]: node["expected"] for node in second["nodes"]}
    assert expected == {"t4-1": {"nvidia.com/gpu": 8}, "t4-2": {"nvidia.com/gpu": 4}, "t4-3": {"nvidia.com/gpu": 4}}


def test_check_mode_predicts_what_the_run_then_does(task, empty):
    task("gpu_sharing", configs=[by()], default="by-four", wait=False)
    options = {"configs": [by(replicas=6)], "default": "by-four", "node_configs": [{"config": "by-four", "selector": "pool=t4"}], "wait": False}
    before = versions(empty)
    predicted = task("gpu_sharing", "--check", "--diff", **options)
    assert versions(empty) == before
    done = task("gpu_sharing", "--diff", **options)
    assert predicted["changed"] and (predicted["actions"], predicted["diff"]) == (done["actions"], done["diff"])
    config_map, labels, shares = predicted["diff"]
    assert shares["before"].splitlines() == ["t4-%d: 2 nvidia.com/gpu" % number for number in (1, 2, 3)]
    assert shares["after"].splitlines() == ["t4-%d: 12 nvidia.com/gpu" % number for number in (1, 2, 3)]
    assert "replicas: 4" in config_map["before"] and "replicas: 6" in config_map["after"]
    assert labels["after"].splitlines() == ["t4-%d: by-four" % number for number in (1, 2, 3)]


BAD = {
    "replicas below 2": ({"configs": [by(replicas=1)]}, "configs[0].resources[0].replicas: 1:"),
    "too many MPS clients": ({"configs": [by(strategy="mps", replicas=49)]}, "configs[0].resources[0].replicas: 49:"),
    "a foreign resource": ({"configs": [{"name": "x", "strategy": "mps", "resources": [{"name": "amd.com/gpu", "replicas": 2}]}]}, "'amd.com/gpu'"),
    "an undefined configuration": ({"node_configs": [{"config": "nobody", "nodes": ["t4-1"]}]}, "node_configs[0].config: 'nobody':"),
    "a selector without a match": ({"configs": [by()], "node_configs": [{"config": "by-four", "selector": "pool=no"}]}, "matches none of the 4 nodes"),
    "a malformed selector": ({"configs": [by()], "node_configs": [{"config": "by-four", "selector": "a=("}]}, "node_configs[0].selector: 'a=(':"),
    "an unknown node": ({"configs": [by()], "node_configs": [{"config": "by-four", "nodes": ["zz"]}]}, "no such node: zz"),
    "a name twice": ({"configs": [by(), by()]}, "configs[1].name: 'by-four':"),
    "two strategies on one node": (
        {
            "configs": [by(), by("mps", strategy="mps")],
            "node_configs": [{"config": "by-four", "selector": "pool=t4"}, {"config": "mps", "nodes": ["t4-2"]}],
        },
        "node t4-2 gets by-four (time_slicing)",
    ),
}


def test_a_bad_plan_is_refused_before_the_first_write(task, empty):
    before = versions(empty)
    refused = dict(zip(BAD, task.many([("gpu_sharing", options) for options, _unused in BAD.values()])))
    assert versions(empty) == before
    for name, (_unused, words) in BAD.items():
        message = refused[name]["msg"]
        assert refused[name]["failed"] and not refused[name]["changed"], name
        assert words in message and "fix: " in message and "before anything was changed" in message, "%s: %s" % (name, message)


def test_too_few_rights_are_refused_before_the_first_write(task, made, empty, tmp_path):
    empty.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", READER)
    empty.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", BINDING)
    before = versions(empty)
    refused = task("gpu_sharing", kubeconfig=impersonating(made, tmp_path, "reader"), configs=[by()], wait=False)
    assert refused["failed"] and "may not patch configmaps in namespace" in refused["msg"], refused["msg"]
    assert versions(empty) == before


READER = {"metadata": {"name": "only-reads"}, "rules": [{"apiGroups": [""], "resources": ["*"], "verbs": ["get", "list"]}]}
BINDING = {
    "metadata": {"name": "only-reads"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "only-reads"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader"}],
}


def impersonating(made, directory, user):
    """Return a kubeconfig like the cluster's own whose user is somebody else, by a token of a service account of that name."""
    import yaml

    client = made.client()
    account = "/api/v1/namespaces/default/serviceaccounts"
    client.request("POST", account, {"metadata": {"name": user}})
    token = client.request("POST", "%s/%s/token" % (account, user), {"spec": {}})["status"]["token"]
    BINDING_OF_ACCOUNT = dict(BINDING, metadata={"name": "only-reads-account"}, subjects=[{"kind": "ServiceAccount", "name": user, "namespace": "default"}])
    client.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", BINDING_OF_ACCOUNT)
    with open(made.kubeconfig, encoding="utf-8") as stream:
        config = yaml.safe_load(stream)
    config["users"][0]["user"] = {"token": token}
    path = directory / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def test_an_unreachable_server_is_named(task, made, tmp_path):
    with open(made.kubeconfig, encoding="utf-8") as stream:
        text = stream.read().replace(made.server, "https://127.0.0.1:1")
    path = tmp_path / "elsewhere"
    path.write_text(text)
    failed = task("gpu_sharing", kubeconfig=str(path), retry_for=0, configs=[by()])
    assert failed["failed"] and "https://127.0.0.1:1" in failed["msg"] and "cannot be reached" in failed["msg"]


def test_a_node_that_does_not_follow_is_named_and_nothing_is_lost(task, empty):
    late = task("gpu_sharing", configs=[by()], default="by-four", wait_timeout=1, wait_sleep=0.2)
    assert late["failed"] and late["changed"]
    assert "- t4-1 (default): advertises 2 nvidia.com/gpu, should be 8" in late["msg"]
    for name in ("t4-1", "t4-2", "t4-3"):
        patch(empty, NODES + "/" + name, {"metadata": {"labels": {"nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.sharing-strategy": "time-slicing"}}})
        resources = {"nvidia.com/gpu": "8"}
        patch(empty, NODES + "/" + name + "/status", {"status": {"capacity": resources, "allocatable": resources}})
    after = task("gpu_sharing", configs=[by()], default="by-four")
    assert not after.get("failed") and not after["changed"] and all(node["ready"] for node in after["nodes"])


def test_absent_removes_what_was_set_and_nothing_else(task, empty):
    task("gpu_sharing", configs=[by()], node_configs=[{"config": "by-four", "nodes": ["t4-1"]}], wait=False)
    patch(empty, NODES + "/t4-2", {"metadata": {"labels": {LABEL: "by-four"}}})
    predicted = task("gpu_sharing", "--check", state="absent")
    removed = task("gpu_sharing", state="absent")
    assert removed["changed"] and predicted["actions"] == removed["actions"]
    assert LABEL not in empty.request("GET", NODES + "/t4-1")["metadata"]["labels"]
    assert empty.request("GET", NODES + "/t4-2")["metadata"]["labels"][LABEL] == "by-four"
    assert not exists(empty)
    assert not task("gpu_sharing", state="absent")["changed"]


def test_gpus_are_counted_and_a_query_reduces_the_answer(task):
    options = [{}, {"query": "nodes[?free.\"nvidia.com/gpu\" > `1`] | length(@)"}, {"selector": "pool=none"}, {"query": "nodes["}]
    # The unknown function is found before the kubeconfig is looked at.
    options += [{"query": "lenght(nodes)", "kubeconfig": "/absent"}, {"query": "length(totals.x)"}]
    found, queried, selected, malformed, unknown, unfit = task.many([("gpu_nodes_info", each) for each in options])
    assert found["totals"]["nvidia.com/gpu"]["allocatable"] == 6 and [node["name"] for node in found["nodes"]] == ["t4-1", "t4-2", "t4-3"]
    assert queried["result"] == 3
    assert selected["nodes"] == []
    assert "not a JMESPath expression" in malformed["msg"]
    assert unknown["failed"] and "query: 'lenght(nodes)': not a JMESPath expression: Unknown function: lenght()" in unknown["msg"], unknown
    assert unfit["failed"] and "query: 'length(totals.x)': cannot be applied to the answer: In function length()" in unfit["msg"], unfit


def test_an_assignment_by_product_lasts_when_the_nodes_follow(task, empty):
    for name in ("t4-1", "t4-2"):
        patch(empty, NODES + "/" + name, {"metadata": {"labels": {"nvidia.com/gpu.product": "Tesla-T4"}}})
    options = {"configs": [by()], "node_configs": [{"config": "by-four", "selector": "nvidia.com/gpu.product=Tesla-T4"}], "wait": False}
    assert "label 2 nodes (t4-1, t4-2)" in task("gpu_sharing", **options)["actions"]
    patch(empty, NODES + "/t4-1", {"metadata": {"labels": {"nvidia.com/gpu.product": "Tesla-T4-SHARED"}}})
    again = task("gpu_sharing", **options)
    assert not again.get("failed") and not again["changed"], again


def test_a_config_map_of_others_is_left_alone(task, empty):
    body = {"metadata": {"name": "gpu-sharing"}, "data": {"theirs": "version: v1\n"}}
    task("gpu_sharing", configs=[by()], wait=False)
    empty.request("DELETE", CONFIG_MAP)
    empty.request("POST", CONFIG_MAP.rpartition("/")[0], body)
    removed = task("gpu_sharing", state="absent")
    assert not removed["changed"] and empty.request("GET", CONFIG_MAP)["data"] == body["data"]
    task("gpu_sharing", configs=[by()], wait=False)
    assert sorted(empty.request("GET", CONFIG_MAP)["data"]) == ["by-four", "default", "theirs"]
    predicted = task("gpu_sharing", "--check", state="absent")
    removed = task("gpu_sharing", state="absent")
    assert removed["changed"] and predicted["actions"] == removed["actions"] == [
        "take our keys out of ConfigMap nvidia-device-plugin/gpu-sharing, which keeps theirs"
    ]
    left = empty.request("GET", CONFIG_MAP)
    assert left["data"] == body["data"] and "app.kubernetes.io/managed-by" not in left["metadata"].get("labels", {})


def test_a_config_map_deleted_under_running_plugins_reaches_them_again(task, empty):
    options = {"configs": [by()], "default": "by-four", "wait": False}
    task("gpu_sharing", **options)
    path = "/api/v1/namespaces/nvidia-device-plugin/pods"
    volume = {"name": "available-configs", "configMap": {"name": "gpu-sharing"}}
    spec = {"nodeName": "t4-1", "containers": [{"name": "c", "image": "plugin"}], "volumes": [volume], "terminationGracePeriodSeconds": 0}
    empty.request("POST", path, {"metadata": {"name": "plugin"}, "spec": spec})
    empty.request("DELETE", CONFIG_MAP)
    restarted = task("gpu_sharing", **options)
    assert "restart the device plugin on 3 nodes (t4-1, t4-2, t4-3)" in restarted["actions"]
    assert [pod for pod in empty.request("GET", path)["items"] if "deletionTimestamp" not in pod["metadata"]] == []
    assert not task("gpu_sharing", **options)["changed"]


def test_state_ready_waits_and_writes_nothing(task, empty):
    options = {"configs": [by()], "default": "by-four", "wait_timeout": 1, "wait_sleep": 0.2}
    before = versions(empty)
    late = task("gpu_sharing", state="ready", **options)
    assert late["failed"] and not late["changed"] and "- t4-1 (default): advertises 2 nvidia.com/gpu, should be 8" in late["msg"]
    assert versions(empty) == before
    looked = task("gpu_sharing", "--check", state="ready", **options)
    assert not looked.get("failed") and [node["ready"] for node in looked["nodes"]] == [False] * 3


def test_a_malformed_selector_is_named_as_its_user_calls_it(task):
    found = task("gpu_sharing", "--check", configs=[by()], node_configs=[{"config": "by-four", "selector": "a=("}], prefix="gpu_sharing_", wait=False)
    assert found["failed"] and "- gpu_sharing_node_configs[0].selector: 'a=(': not a label selector" in found["msg"], found["msg"]


def test_what_is_doubtful_in_the_options_is_warned_of(task):
    found = task("gpu_sharing", "--check", configs=[by(replicas=49), by("spare", 2)], default="by-four", wait=False)
    assert not found.get("failed")
    told = json.dumps(found["warnings"])
    assert "replicas: 49" in told and "'spare': no node uses this configuration" in told, told


def test_a_mounted_config_map_is_removed_only_where_that_is_asked_for(task, empty):
    task("gpu_sharing", configs=[by()], wait=False)
    sets = "/apis/apps/v1/namespaces/nvidia-device-plugin/daemonsets"
    volume = {"name": "available-configs", "configMap": {"name": "gpu-sharing"}}
    pod = {"nodeSelector": {"nobody": "here"}, "containers": [{"name": "c", "image": "plugin"}], "volumes": [volume]}
    template = {"metadata": {"labels": {"app": "plugin"}}, "spec": pod}
    empty.request("POST", sets, {"metadata": {"name": "plugin"}, "spec": {"selector": {"matchLabels": {"app": "plugin"}}, "template": template}})
    try:
        for flags in ((), ("--check",)):
            refused = task("gpu_sharing", *flags, state="absent", prefix="gpu_sharing_")
            assert refused["failed"] and not refused["changed"] and exists(empty)
            assert "- gpu_sharing_config_map: 'gpu-sharing': mounted by DaemonSet plugin" in refused["msg"], refused["msg"]
            assert "set gpu_sharing_allow_mounted" in refused["msg"]
        predicted = task("gpu_sharing", "--check", state="absent", allow_mounted=True)
        assert predicted["changed"] and exists(empty)
        removed = task("gpu_sharing", state="absent", allow_mounted=True)
        assert removed["actions"] == predicted["actions"] and not exists(empty)
    finally:
        empty.request("DELETE", sets + "/plugin")
