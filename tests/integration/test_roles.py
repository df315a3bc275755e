# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles helm_chart, device_plugin and rehearsal: what they refuse before anything is changed or reached, and what they remember."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
import time

import pytest
import yaml
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.client import ApiError

GPU = "nvidia.com/gpu"
ENFORCE = "pod-security.kubernetes.io/enforce"
NAMESPACE = "/api/v1/namespaces/nvidia-device-plugin"


class Listener:
    """A server that nobody should come to: it counts who does, and never answers."""

    def __init__(self):
        self.calls = 0
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                outer.calls += 1

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.url = "https://127.0.0.1:%d" % self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def listener():
    with contextlib.closing(Listener()) as made:
        yield made


@pytest.fixture
def write(tmp_path):
    """Return write(name, data): the path of a YAML file."""

    def one(name, data):
        path = tmp_path / name
        path.write_text(yaml.safe_dump(data))
        return path

    return one


@pytest.fixture
def unreached(listener, write):
    """Return an inventory with one cluster, which is the listener."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "real", "cluster": {"server": listener.url, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "me", "user": {"token": "secret"}}],
        "contexts": [{"name": "real", "context": {"cluster": "real", "user": "me"}}],
    }
    return write("inventory.yml", inventory({"lab": {"gpu_kubeconfig": str(write("kubeconfig", kubeconfig)), "gpu_context": "real"}}))


def inventory(clusters, **others):
    return {"all": {"children": {"gpu_clusters": {"hosts": clusters}}, "hosts": others}}


def role(name, entry, when=None, **variables):
    """Return a task that includes an entry point of a role."""
    task = {"name": entry, "ansible.builtin.include_role": {"name": "gpuops.kubernetes." + name, "tasks_from": entry}, "vars": variables}
    return dict(task, when=when) if when else task


def playbook(*tasks):
    return [{"hosts": "gpu_clusters", "gather_facts": False, "vars": LOCAL, "tasks": list(tasks)}]


LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
CHART = {"helm_chart_release": "r", "helm_chart_namespace": "n", "helm_chart_ref": "/nowhere/chart", "helm_chart_version": "1.0.0"}
REDIRECTING = {
    "K8S_AUTH_HOST": "https://127.0.0.1:1",
    "K8S_AUTH_API_KEY": "not to be shown",
    "HELM_KUBEAPISERVER": "https://127.0.0.1:1",
    "HELM_KUBETOKEN": "not to be shown",
}
REFUSAL = "HELM_KUBEAPISERVER, HELM_KUBETOKEN, K8S_AUTH_API_KEY, K8S_AUTH_HOST: set in the environment"


def flat(output):
    return " ".join(output.split())


@pytest.mark.parametrize(("name", "more"), [
    ("uninstall.yml", ()),
    ("uninstall.yml", ("-e", "gpu_cluster_name=lab", "-e", "gpu_cluster_uid=1")),
    ("preflight.yml", ("--skip-tags", "device_plugin")),
    ("site.yml", ("--tags", "gpu_sharing")),
    ("site.yml", ("-e", "device_plugin_state=absent")),
])
def test_playbooks_refuse_an_environment_that_leads_elsewhere(player, unreached, listener, name, more):
    status, output, changed = player()(name, unreached, *more, environment=REDIRECTING)
    assert (status, changed, listener.calls) == (2, 0, 0), output
    assert REFUSAL in flat(output) and "Fix: unset them" in flat(output), output
    assert "not to be shown" not in output


def test_a_rehearsal_refuses_an_environment_that_leads_elsewhere(player, unreached, listener, tmp_path):
    where = {"GPUOPS_STATE_DIR": str(tmp_path / "state")}
    status, output, _unused = player()("rehearse.yml", unreached, "--skip-tags", "device_plugin", environment=dict(REDIRECTING, **where))
    assert (status, listener.calls) == (2, 0), output
    assert REFUSAL in flat(output), output
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(("name", "entry", "variables"), [
    ("helm_chart", "preflight", CHART),
    ("helm_chart", "verify", CHART),
    ("helm_chart", "uninstall", CHART),
    ("device_plugin", "verify", {}),
    ("device_plugin", "uninstall", {"device_plugin_remove_namespace": True}),
    ("rehearsal", "verify", {"rehearsal_result": {"kubeconfig": "{{ gpu_kubeconfig }}", "context": "real", "nodes": []}}),
    ("rehearsal", "workload", {"rehearsal_result": {"kubeconfig": "{{ gpu_kubeconfig }}", "context": "real"}}),
])
def test_each_entry_point_refuses_an_environment_that_leads_elsewhere(player, unreached, listener, write, name, entry, variables):
    play = write("play.yml", playbook(role(name, entry, **variables)))
    status, output, changed = player()(play, unreached, environment=REDIRECTING)
    assert (status, changed, listener.calls) == (2, 0, 0), output
    assert REFUSAL in flat(output), output


@pytest.mark.parametrize("shown", ["v3.7.2+g663a896", "v4.0.1+g12500dd", ""])
def test_another_helm_is_refused(player, unreached, write, tmp_path, shown):
    helm = tmp_path / "helm"
    helm.write_text("#!/bin/sh\necho '%s'\n" % shown)
    helm.chmod(0o755)
    play = write("play.yml", playbook(role("helm_chart", "preflight", helm_chart_binary=str(helm), **CHART)))
    status, output, _unused = player()(play, unreached)
    assert status == 2, output
    assert "helm_chart_binary: %s:" % helm in flat(output) and "3.8 or newer" in output and "Fix: install helm 3" in flat(output), output
    assert not shown or shown in output


def test_a_rehearsal_asks_whose_hosts_they_are_unless_one_cluster_is_chosen(player, write):
    path = write("inventory.yml", inventory({"east": {}, "west": {}}, **{"node-1": {}}))
    play = write("play.yml", playbook(role("rehearsal", "preflight")))
    status, output, _unused = player()(play, path)
    assert status == 2 and "2 clusters are to be rehearsed (east, west)" in flat(output) and "--limit" in output, output
    status, output, _unused = player()(play, path, "--limit", "east")
    assert status == 0, output


NODES = json.dumps({"gpu_simulated_nodes": [{"name": "t4", "model": "T4", "gpus": 2}]})


@pytest.mark.parametrize("more", [(), ("--tags", "device_plugin"), ("--tags", "gpu_report")])
def test_the_plan_of_a_rehearsal_that_does_not_run_says_so_and_reaches_no_cluster(player, unreached, listener, tmp_path, more):
    where = {"GPUOPS_STATE_DIR": str(tmp_path / "state")}
    status, output, _unused = player()("rehearse.yml", unreached, "--check", "-e", NODES, *more, environment=where)
    assert (status, listener.calls) == (0, 0), output
    assert "start the control plane" in output and "run without --check first" in flat(output), output
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("task", ["Reach the cluster", "Install the device plugin", "Show the report"])
def test_a_rehearsal_that_starts_late_never_goes_to_the_real_cluster(player, unreached, listener, task):
    status, output, changed = player()("rehearse.yml", unreached, "-e", "ansible_connection=local", "--start-at-task", task)
    assert (status, changed, listener.calls) == (2, 0, 0), output
    assert "rehearsal_result" in output, output


@pytest.fixture(scope="module")
def made(testbed):
    return testbed([{"name": "t4", "model": "T4", "gpus": 2}])


@pytest.fixture(scope="module")
def play(made, player):
    return player(made)


@pytest.fixture
def lab(made, write):
    """Return an inventory with the cluster in it; nothing is to be computed there."""
    host = {"gpu_kubeconfig": made.kubeconfig, "gpu_context": made.context, "gpu_validation_state": "absent", "gpu_report_path": ""}
    return write("inventory.yml", inventory({"lab": host}))


@pytest.fixture
def namespace(made):
    """Return namespace(**metadata): the plugin's namespace as somebody else made it; it is gone afterwards."""
    client = made.client()

    def create(**metadata):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": dict(metadata, name="nvidia-device-plugin")}
        return client.request("POST", "/api/v1/namespaces", body, query={"fieldManager": "kubectl-label"})

    yield create
    gone(client)


def gone(client):
    """Remove the plugin's namespace and wait until it is gone."""
    with contextlib.suppress(ApiError):  # there may be none
        client.request("PATCH", NAMESPACE, {"metadata": {"finalizers": None}}, "application/merge-patch+json")
        client.request("DELETE", NAMESPACE)
    deadline = time.monotonic() + 60
    while any(item["metadata"]["name"] == "nvidia-device-plugin" for item in client.request("GET", "/api/v1/namespaces")["items"]):
        assert time.monotonic() < deadline, "the namespace is still there"
        time.sleep(0.5)


def test_a_namespace_with_another_pod_security_level_is_refused_before_anything_is_written(made, play, lab, namespace, seen):
    namespace(labels={ENFORCE: "baseline"})
    before = seen(made.client())
    status, output, _unused = play("site.yml", lab, "-e", json.dumps(SHARED))
    assert status == 2, output
    assert "device_plugin_namespace: nvidia-device-plugin: its label %s is baseline" % ENFORCE in flat(output), output
    assert "Fix: kubectl label namespace nvidia-device-plugin %s=privileged --overwrite" % ENFORCE in flat(output), output
    assert seen(made.client()) == before


def test_a_namespace_that_is_going_is_refused(made, play, lab, namespace, seen):
    namespace(finalizers=["gpuops.kubernetes/test"])
    made.client().request("DELETE", NAMESPACE)
    before = seen(made.client())
    status, output, _unused = play("site.yml", lab)
    assert status == 2, output
    assert "device_plugin_namespace: nvidia-device-plugin: it is being deleted" in flat(output), output
    assert seen(made.client()) == before


def test_a_namespace_of_somebody_else_that_admits_the_plugin_is_taken_and_left_theirs(made, play, lab, namespace):
    namespace(labels={ENFORCE: "privileged", "app.kubernetes.io/managed-by": "somebody"})
    # From the command line all of them are texts.
    texts = ("-e", "device_plugin_wait_timeout=600", "-e", "helm_chart_pending_grace=300", "-e", "device_plugin_minimum_nodes=1")
    status, output, _unused = play("site.yml", lab, *texts)
    assert status == 0, output
    status, output, changed = play("site.yml", lab)
    assert (status, changed) == (0, 0), output
    # What was checked before anything else is not checked again.
    assert output.count(": Refuse a second stack]") == 1, output
    labels = made.client().request("GET", NAMESPACE)["metadata"]["labels"]
    assert (labels[ENFORCE], labels["app.kubernetes.io/managed-by"]) == ("privileged", "somebody")


def test_other_values_are_checked_anew_in_the_same_run(play, lab, write):
    wrong = {"device_plugin_values": {"gfd": {"enabeld": True}}}
    path = write("play.yml", playbook(role("device_plugin", "preflight"), role("device_plugin", "main", **wrong)))
    status, output, changed = play(path, lab)
    assert (status, changed) == (2, 0) and "gfd.enabeld" in output, output
    misspelt = write("misspelt.yml", playbook(role("device_plugin", "preflight"), role("device_plugin", "main", device_plugin_minimum_node=0)))
    status, output, changed = play(misspelt, lab)
    assert (status, changed) == (2, 0) and "device_plugin_minimum_node: " in output, output


SHARED = {
    "gpu_sharing_configs": [{"name": "by-two", "strategy": "time_slicing", "resources": [{"name": GPU, "replicas": 2}]}],
    "gpu_sharing_default": "by-two",
}
