# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""gpu_sharing on 1,000 nodes against kubernetes.core.k8s and kubectl, all of them writing the same node label."""

from __future__ import annotations

import json
import sys

import pytest

from . import measure

LABEL = "nvidia.com/device-plugin.config"
OWNED = "gpuops.kubernetes/labels"
LOOPED = 20
CONFIG_MAP = "/api/v1/namespaces/nvidia-device-plugin/configmaps/gpu-sharing"


def playbook(tmp_path, name, task):
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]
    path = tmp_path / (name + ".json")
    path.write_text(json.dumps(play))
    inventory = "localhost ansible_connection=local ansible_python_interpreter=%s\n" % sys.executable
    (tmp_path / "hosts").write_text(inventory)
    return ["ansible-playbook", "-i", str(tmp_path / "hosts"), str(path)]


def sharing_task(fleet):
    config = {"name": "bench", "strategy": "time_slicing", "resources": [{"name": "nvidia.com/gpu", "replicas": 4}]}
    options = {"configs": [config], "node_configs": [{"config": "bench", "selector": "type=kwok"}], "wait": False}
    where = {"kubeconfig": fleet.cluster.kubeconfig, "context": fleet.cluster.context}
    return {"gpuops.kubernetes.gpu_sharing": dict(options, **where)}


def k8s_task(fleet, names):
    definitions = [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {LABEL: "bench"}}} for name in names]
    where = {"kubeconfig": fleet.cluster.kubeconfig, "context": fleet.cluster.context}
    return {"kubernetes.core.k8s": dict(where, state="patched", resource_definition=definitions)}


def k8s_loop(fleet, names):
    task = k8s_task(fleet, ["{{ item }}"])
    return dict(task, loop=names)


def live_labels(fleet):
    return [node["metadata"]["labels"].get(LABEL) for page in fleet.client.list_pages("/api/v1/nodes") for node in page["items"]]


def unlabel(fleet):
    def remove(name):
        body = {"metadata": {"labels": {LABEL: None}, "annotations": {OWNED: None}}}
        fleet.client.request("PATCH", "/api/v1/nodes/" + name, body, "application/merge-patch+json")

    fleet.each(fleet.nodes, remove)


@pytest.mark.parametrize("fleet", [(1000, 0)], ids=["1000 nodes"], indirect=True)
def test_gpu_sharing(fleet, publish, tmp_path):
    def all_labelled(output):
        assert live_labels(fleet) == ["bench"] * len(fleet.nodes)

    def unchanged(output):
        assert "changed=0" in output, output

    def reset():
        unlabel(fleet)

    ours = playbook(tmp_path, "ours", sharing_task(fleet))
    one_task = playbook(tmp_path, "one_task", k8s_task(fleet, fleet.nodes))
    loop = playbook(tmp_path, "loop", k8s_loop(fleet, fleet.nodes[:LOOPED]))
    kubectl = [fleet.cluster.kubectl, "--kubeconfig", fleet.cluster.kubeconfig, "--context", fleet.cluster.context]
    kubectl += ["label", "nodes", "--all", "--overwrite", LABEL + "=bench"]
    writing = [
        measure.Command("gpu_sharing", ours, reset=reset, check=all_labelled),
        measure.Command("one kubernetes.core.k8s task", one_task, reset=reset, check=all_labelled),
        measure.Command("kubectl label nodes --all", kubectl, reset=reset, check=all_labelled),
        measure.Command("kubernetes.core.k8s in a loop, %d nodes only" % LOOPED, loop, reset=reset),
    ]
    publish(measure.table("gpu_sharing, 1,000 nodes, all to be written", measure.alternate(writing), "gpu_sharing"))

    measure.run(writing[0])
    versions = resource_versions(fleet)
    again = [
        measure.Command("gpu_sharing", ours, check=unchanged),
        measure.Command("one kubernetes.core.k8s task", one_task, check=unchanged),
    ]
    publish(measure.table("gpu_sharing, 1,000 nodes, nothing to do", measure.alternate(again), "gpu_sharing"))
    assert resource_versions(fleet) == versions, "an unchanged run wrote something"


def resource_versions(fleet):
    """Return who last applied what: node status is left out, because heartbeats write it."""
    nodes = {}
    for page in fleet.client.list_pages("/api/v1/nodes"):
        for node in page["items"]:
            nodes[node["metadata"]["name"]] = (node["metadata"]["labels"], node["metadata"]["annotations"])
    return fleet.client.request("GET", CONFIG_MAP)["metadata"]["resourceVersion"], nodes
