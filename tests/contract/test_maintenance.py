# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""gpu_maintenance on a real control plane: its eviction API, disruption controller, scheduler and workload controllers answer.

The module runs as the process that Ansible starts on the host. The nodes are simulated, so pods end as soon as they are told to.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from ansible_collections.gpuops.kubernetes.plugins.modules import gpu_maintenance

from tests.contract.test_sharing import impersonating

NODE = "/api/v1/nodes/"
PODS = "/api/v1/namespaces/default/pods"
APPS = "/apis/apps/v1/namespaces/default/"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
CORDONED = "gpuops.kubernetes/cordoned"
NAMES = ("a", "b")
READER = {"metadata": {"name": "only-reads"}, "rules": [{"apiGroups": ["", "policy"], "resources": ["*"], "verbs": ["get", "list"]}]}


class Module:
    """Starts the module's process with options."""

    def __init__(self, made):
        self.made = made

    def start(self, check=False, **options):
        where = {"kubeconfig": self.made.kubeconfig, "context": self.made.context, "sleep": 0.2, "_ansible_check_mode": check}
        command = [sys.executable, "-m", gpu_maintenance.__name__]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": dict(where, **options)}))
        process.stdin.close()
        process.stdin = None
        return process

    def __call__(self, state, *nodes, check=False, **options):
        return result_of(self.start(check, state=state, nodes=list(nodes), **options))


def result_of(process):
    output, errors = process.communicate(timeout=300)
    assert output.strip(), errors
    return json.loads(output)


def told(found):
    """Return what check mode has to predict."""
    return {key: found.get(key) for key in ("changed", "actions", "diff", "nodes", "pods")}


def warnings_of(found):
    """Return the texts of a result's warnings, which are objects from ansible-core 2.19 on where a module hands them over by itself."""
    return [each if isinstance(each, str) else each["event"]["msg"] for each in found.get("warnings", [])]


@pytest.fixture(scope="module")
def made(testbed):
    return testbed([{"name": name} for name in NAMES])


@pytest.fixture
def module(made):
    return Module(made)


@pytest.fixture(autouse=True)
def client(made):
    """Return a client of a cluster whose nodes are as new and on which nothing runs, once the test is over too."""
    client = made.client()
    yield client
    for path in (APPS + "deployments", APPS + "statefulsets", APPS + "daemonsets", BUDGETS, PODS):
        client.request("DELETE", path, query={"gracePeriodSeconds": 0})
    until(lambda: not pods(client))
    for name in NAMES:
        annotations = {key: None for key in node(client, name)["metadata"]["annotations"] if key.startswith("gpuops.kubernetes/")}
        patch(client, NODE + name, {"metadata": {"annotations": annotations}, "spec": {"unschedulable": None, "taints": None}})
    until(lambda: not any("taints" in node(client, name)["spec"] for name in NAMES))


def patch(client, path, body):
    client.request("PATCH", path, body, "application/merge-patch+json")


def node(client, name):
    return client.request("GET", NODE + name)


def pods(client, on=None):
    """Return the names of the pods (on a node) that are not ending."""
    found = client.request("GET", PODS)["items"]
    return sorted(pod["metadata"]["name"] for pod in found if on is None or pod["spec"].get("nodeName") == on)


def until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in %d s" % seconds
        time.sleep(0.1)


def state_of(client):
    """Return what a write would change, and which pods there are."""
    nodes = {name: node(client, name) for name in NAMES}
    return {name: (found["metadata"]["labels"], found["metadata"]["annotations"], found["spec"]) for name, found in nodes.items()}, pods(client)


def template(app, **spec):
    return {"metadata": {"labels": {"app": app}}, "spec": dict({"containers": [{"name": "c", "image": "x"}]}, **spec)}


def workload(client, app, replicas=1, kind="deployments", **spec):
    """Create a workload of which all pods run on node a, while others could go to node b afterwards."""
    patch(client, NODE + "b", {"spec": {"unschedulable": True}})
    spec = {"selector": {"matchLabels": {"app": app}}, "template": template(app, **spec)}
    spec.update({} if kind == "daemonsets" else {"replicas": replicas})
    client.request("POST", APPS + kind, {"metadata": {"name": app}, "spec": spec})
    until(lambda: client.request("GET", APPS + kind + "/" + app)["status"].get("numberReady" if kind == "daemonsets" else "readyReplicas", 0) >= replicas)
    patch(client, NODE + "b", {"spec": {"unschedulable": None}})
    until(lambda: "taints" not in node(client, "b")["spec"])


def pod(client, name, annotations=None, **spec):
    spec = template("", nodeName="a", **spec)["spec"]
    client.request("POST", PODS, {"metadata": {"name": name, "annotations": annotations or {}}, "spec": spec})
    until(lambda: client.request("GET", PODS + "/" + name)["status"]["phase"] == "Running")


def budget(client, name, app, minimum, healthy=None):
    spec = {"minAvailable": minimum, "selector": {"matchLabels": {"app": app}}}
    client.request("POST", BUDGETS, {"metadata": {"name": name}, "spec": spec})
    healthy = minimum if healthy is None else healthy
    until(lambda: client.request("GET", BUDGETS + "/" + name).get("status", {}).get("currentHealthy") == healthy)


def test_only_what_we_cordoned_is_uncordoned(module, client):
    patch(client, NODE + "b", {"spec": {"unschedulable": True}})
    until(lambda: "taints" in node(client, "b")["spec"])
    before = state_of(client)
    predicted = module("cordoned", "a", "b", check=True, reason="driver")
    assert state_of(client) == before
    done = module("cordoned", "a", "b", reason="driver")
    assert done["changed"] and told(predicted) == told(done)
    assert done["actions"] == ["cordon a"] and [each["by_us"] for each in done["nodes"]] == [True, False]
    assert node(client, "a")["spec"]["unschedulable"] and node(client, "a")["metadata"]["annotations"][CORDONED] == "driver"
    assert CORDONED not in node(client, "b")["metadata"]["annotations"]
    assert not module("cordoned", "a", "b", reason="other")["changed"]
    freed = module("uncordoned", "a", "b")
    assert freed["changed"] and freed["actions"] == ["uncordon a"]
    assert "unschedulable" not in node(client, "a")["spec"] and CORDONED not in node(client, "a")["metadata"]["annotations"]
    assert node(client, "b")["spec"]["unschedulable"]
    assert [text for text in warnings_of(freed) if text.startswith("b: left cordoned, because somebody else did that")], freed
    assert not module("uncordoned", "a", "b")["changed"]


def test_a_drain_does_what_check_mode_predicted_and_the_second_one_nothing(module, client):
    workload(client, "web", 3)
    workload(client, "agent", kind="daemonsets")
    pod(client, "static", {"kubernetes.io/config.mirror": "x"})
    pod(client, "done", volumes=[{"name": "data", "emptyDir": {}}])
    patch(client, PODS + "/done/status", {"status": {"phase": "Succeeded"}})
    before = state_of(client)
    predicted = module("drained", "a", check=True)
    assert state_of(client) == before
    done = module("drained", "a")
    assert done["changed"] and told(predicted) == told(done)
    assert done["actions"][0] == "cordon a" and done["actions"][1].startswith("evict 4 pods from a (default/done, default/web-")
    assert "pod default/done\n" in done["diff"][0]["before"] and "unschedulable: true" in done["diff"][0]["after"]
    left = pods(client, "a")
    assert len(left) == 2 and left[0].startswith("agent-") and left[1] == "static"
    until(lambda: len([name for name in pods(client, "b") if name.startswith("web-")]) == 3)
    again = module("drained", "a")
    assert not again["changed"] and again["actions"] == [] and again["pods"] == []


def test_a_budget_that_allows_nothing_is_told_when_time_is_up_and_the_next_run_goes_on(module, client):
    workload(client, "trainer", 2)
    budget(client, "trainer", "trainer", 2)
    late = module("drained", "a", timeout=1)
    assert late["failed"] and late["changed"]
    assert [each["name"].startswith("trainer-") for each in late["left"]] == [True, True]
    assert late["left"][0]["budget"] == {"name": "trainer", "bound": "minAvailable: 2", "current": 2, "desired": 2, "allowed": 0}
    text = "PodDisruptionBudget trainer holds it (minAvailable: 2, currentHealthy 2, desiredHealthy 2, disruptionsAllowed 0); fix: with its 2 pods it never"
    assert text in late["msg"] and "It stays cordoned by us, and the next run goes on. Pods that are left (2):" in late["msg"], late["msg"]
    assert CORDONED in node(client, "a")["metadata"]["annotations"] and len(pods(client, "a")) == 2
    patch(client, BUDGETS + "/trainer", {"spec": {"minAvailable": 1}})
    done = module("drained", "a")
    assert done["changed"] and done["actions"][0].startswith("evict 2 pods from a (default/trainer-") and pods(client, "a") == []


def test_a_budget_that_allows_it_later_is_asked_until_then(module, client):
    workload(client, "trainer", 2)
    budget(client, "trainer", "trainer", 2)
    process = module.start(state="drained", nodes=["a"], timeout=240)
    until(lambda: CORDONED in node(client, "a")["metadata"]["annotations"])
    patch(client, APPS + "deployments/trainer", {"spec": {"replicas": 4}})
    done = result_of(process)
    assert done["changed"] and not done.get("failed"), done
    assert pods(client, "a") == []


def test_what_a_drain_would_lose_is_refused_all_at_once_before_anything_is_written(module, client):
    pod(client, "naked")
    workload(client, "cache", volumes=[{"name": "scratch", "emptyDir": {}}])
    workload(client, "twice")
    budget(client, "one", "twice", 1)
    budget(client, "two", "twice", 1)
    before = state_of(client)
    refused = module("drained", "a", prefix="k3s_drain_")
    assert state_of(client) == before
    assert refused["failed"] and not refused["changed"] and len(refused["problems"]) == 3
    assert "pod default/naked: 'node a': no controller owns it" in refused["msg"] and "set k3s_drain_force" in refused["msg"]
    assert "its emptyDir volumes (scratch)" in refused["msg"] and "set k3s_drain_delete_emptydir_data" in refused["msg"]
    assert "2 PodDisruptionBudgets select it (one, two)" in refused["msg"]
    client.request("DELETE", BUDGETS + "/one")
    patch(client, BUDGETS + "/two", {"spec": {"minAvailable": 0}})
    assert module("drained", "a", force=True, delete_emptydir_data=True, grace_period=5)["changed"]
    assert pods(client, "a") == [] and "naked" not in pods(client)


def test_a_second_budget_that_comes_during_the_drain_is_told_in_the_servers_words(module, client):
    workload(client, "twice")
    workload(client, "web")
    budget(client, "one", "twice", 1)
    process = module.start(state="drained", nodes=["a"], timeout=5)
    until(lambda: len(pods(client, "a")) == 1)
    client.request("POST", BUDGETS, {"metadata": {"name": "two"}, "spec": {"minAvailable": 1, "selector": {}}})
    late = result_of(process)
    assert late["failed"] and "has more than one PodDisruptionBudget" in late["left"][0]["reason"], late


def test_a_drain_killed_half_way_is_finished_by_the_next_run(module, client):
    workload(client, "trainer", 2)
    workload(client, "web", 2)
    budget(client, "trainer", "trainer", 2)
    process = module.start(state="drained", nodes=["a"], timeout=240)
    until(lambda: len(pods(client, "a")) == 2)
    process.kill()
    process.communicate(timeout=60)
    assert CORDONED in node(client, "a")["metadata"]["annotations"]
    client.request("DELETE", BUDGETS + "/trainer")
    done = module("drained", "a")
    assert done["changed"] and [action.split(" (")[0] for action in done["actions"]] == ["evict 2 pods from a"]
    assert pods(client, "a") == [] and module("uncordoned", "a")["actions"] == ["uncordon a"]


def test_a_pod_that_is_made_again_under_its_name_does_not_hold_the_drain(module, client):
    stays = {"tolerations": [{"operator": "Exists"}], "nodeSelector": {"kubernetes.io/hostname": "a"}}
    workload(client, "db", kind="statefulsets", **stays)
    first = client.request("GET", PODS + "/db-0")["metadata"]["uid"]
    done = module("drained", "a")
    assert done["changed"] and done["pods"] == [{"node": "a", "namespace": "default", "name": "db-0"}]
    until(lambda: pods(client) == ["db-0"])
    assert client.request("GET", PODS + "/db-0")["metadata"]["uid"] != first
    # Somebody who goes on with what is left of the first drain has nothing to do with the new pod.
    assert not module("drained", "a", only_pods=[first])["changed"]


def test_several_nodes_are_all_cordoned_before_the_first_is_emptied(module, client):
    workload(client, "web", 2)
    done = module("drained", "a", "b")
    assert [action.split(" (")[0] for action in done["actions"]] == ["cordon a, b", "evict 2 pods from a"]
    assert pods(client, "a") == pods(client, "b") == [] and len(pods(client)) == 2


BAD = {
    "an unknown node": ({"nodes": ["a", "zz"]}, "the cluster has no such node: zz"),
    "no node": ({"nodes": []}, "at least one node is needed"),
    "a path": ({"nodes": ["a/status"]}, "nodes: 'a/status': not a node name"),
    "no time to end": ({"nodes": ["a"], "grace_period": 0}, "grace_period: 0: must be 1 or more"),
    "options of another state": ({"nodes": ["a"], "labels": {"x": "y"}}, "read with state labelled only, and the state is drained"),
}


@pytest.mark.parametrize("options, words", BAD.values(), ids=BAD)
def test_bad_input_is_refused_before_the_first_write(module, client, options, words):
    before = state_of(client)
    refused = module("drained", *options.pop("nodes"), **options)
    assert refused["failed"] and not refused["changed"] and words in refused["msg"] and "fix: " in refused["msg"], refused
    assert state_of(client) == before


def test_too_few_rights_are_refused_before_the_first_write(module, made, client, tmp_path):
    client.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", READER)
    workload(client, "web")
    before = state_of(client)
    refused = module("drained", "a", kubeconfig=impersonating(made, tmp_path, "reader"))
    assert "may not patch nodes in the whole cluster" in refused["msg"] and "may not create pods/eviction in the whole cluster" in refused["msg"], refused
    assert state_of(client) == before


def test_ready_waits_and_names_what_each_node_lacks(module, client):
    since = "2026-01-02T03:04:05Z"
    down = {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "no network", "lastTransitionTime": since}
    version = node(client, "a")["status"]["nodeInfo"]["kubeletVersion"]
    assert not module("ready", "a", "b", version=version, quorum=True)["changed"]
    condition(client, "b", down)
    patch(client, NODE + "a", {"metadata": {"labels": {"node-role.kubernetes.io/etcd": "true"}}})
    late = module("ready", "b", "late", version="v0.1", quorum=True, timeout=1)
    assert late["failed"] and not late["changed"] and [row["node"] for row in late["left"]] == ["b", "late", "a"]
    assert "node b: its condition Ready is False (KubeletNotReady: no network) since %s" % since in late["msg"]
    assert "node late: the cluster does not know it" in late["msg"] and "node a: it has no condition EtcdIsVoter" in late["msg"]
    process = module.start(state="ready", nodes=["b"], quorum=True, timeout=240)
    condition(client, "b", dict(down, status="True"))
    condition(client, "a", {"type": "EtcdIsVoter", "status": "True", "reason": "MemberNotLearner", "message": "", "lastTransitionTime": since})
    assert [row["ready"] for row in result_of(process)["nodes"]] == [True, True]
    other = module("ready", "b", version="v0.1", timeout=0)
    assert "node b: its kubelet is %s, should be v0.1" % version in other["msg"]
    patch(client, NODE + "a", {"metadata": {"labels": {"node-role.kubernetes.io/etcd": None}}})


def condition(client, name, wanted):
    client.request("PATCH", NODE + name + "/status", {"status": {"conditions": [wanted]}}, "application/strategic-merge-patch+json")


def test_labels_and_taints_of_ours_go_and_those_of_others_stay(module, client):
    sharing = {"nvidia.com/device-plugin.config": "by-four"}
    annotations = {"gpuops.kubernetes/labels": "nvidia.com/device-plugin.config"}
    theirs = {"key": "theirs", "effect": "NoSchedule"}
    patch(client, NODE + "a", {"metadata": {"labels": dict(sharing, kept="yes"), "annotations": annotations}, "spec": {"taints": [theirs]}})
    begin = state_of(client)
    taint = {"key": "pool", "value": "training", "effect": "NoSchedule"}
    wanted = {"labels": {"pool": "training", "kept": "yes"}, "taints": [taint]}
    predicted = module("labelled", "a", "b", check=True, **wanted)
    assert state_of(client) == begin
    done = module("labelled", "a", "b", **wanted)
    assert done["changed"] and told(predicted) == told(done)
    assert node(client, "a")["metadata"]["labels"]["pool"] == "training" and node(client, "a")["spec"]["taints"] == [theirs, taint]
    assert not module("labelled", "a", "b", **wanted)["changed"]
    refused = module("labelled", "a", labels={"nvidia.com/device-plugin.config": "x"})
    assert "gpu_sharing set it on a" in refused["msg"], refused
    removed = module("labelled", "a", "b", labels={}, taints=[])
    assert removed["changed"] and state_of(client) == begin
    patch(client, NODE + "a", {"metadata": {"labels": {"kept": None, "nvidia.com/device-plugin.config": None}}})


def test_a_taint_that_ends_running_pods_needs_force(module, client):
    workload(client, "web", 2)
    taints = [{"key": "repair", "effect": "NoExecute"}]
    before = state_of(client)
    refused = module("labelled", "a", taints=taints)
    assert "it ends 2 pods on node a at once, past their PodDisruptionBudgets: default/web-" in refused["msg"] and state_of(client) == before
    assert module("labelled", "a", taints=taints, force=True)["changed"]
    until(lambda: pods(client, "a") == [])
