# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From hosts of an inventory to simulated nodes."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpuops.kubernetes.plugins.filter.rehearsal_nodes import rehearsal_nodes
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils import rehearsal

BARE = {"labels": {}, "taints": []}


@pytest.mark.parametrize(("variables", "node"), [
    ({}, {}),
    ({"gpu_simulated_gpu": {"model": "T4"}}, {"model": "T4", "gpus": 1}),
    ({"gpu_simulated_gpu": {"model": "T4", "gpus": 2, "fault": "crash", "cpus": 8, "other": 1}}, {"model": "T4", "gpus": 2, "fault": "crash", "cpus": 8}),
    ({"gpu_facts": {"model": "L4", "gpus": 3, "driver_version": 580.1}}, {"model": "L4", "gpus": 3, "driver_version": "580.1"}),
    ({"gpu_facts": {"gpus": [{"product": "NVIDIA L4"}, {"name": "NVIDIA L4"}]}}, {"model": "NVIDIA L4", "gpus": 2}),
    ({"gpu_facts": {"gpus": []}}, {}),
    ({"gpu_facts": {"driver_version": "580.1"}}, {}),
    ({"gpu_simulated_gpu": {"model": "T4"}, "gpu_facts": {"model": "L4"}}, {"model": "T4", "gpus": 1}),
])
def test_what_a_host_says_about_its_gpus(variables, node):
    assert rehearsal.descriptions({"h": variables}, []) == [dict(BARE, name="h", **node)]


@pytest.mark.parametrize(("said", "found"), [
    (None, {}),
    ({"a": True, "b": 1}, {"a": "True", "b": "1"}),
    (["a=b", "c="], {"a": "b", "c": ""}),
    ("a=b=c", {"a": "b=c"}),
])
def test_labels_are_maps_or_texts(said, found):
    assert rehearsal.labels(said) == found


@pytest.mark.parametrize(("said", "found"), [
    (None, []),
    ([{"key": "a", "effect": "NoSchedule"}], [{"key": "a", "effect": "NoSchedule"}]),
    ("a=b:NoSchedule", [{"key": "a", "value": "b", "effect": "NoSchedule"}]),
    (["a:NoExecute"], [{"key": "a", "effect": "NoExecute"}]),
])
def test_taints_are_maps_or_texts(said, found):
    assert rehearsal.taints(said) == found


@pytest.mark.parametrize(("host", "name"), [("Node-A.Example.ORG", "node-a.example.org"), ("gpu_01", "gpu-01"), ("-x-", "x"), ("a" * 70, "a" * 63)])
def test_node_names_are_those_of_a_kubelet(host, name):
    assert rehearsal.node_name(host) == name


@pytest.mark.parametrize(("variables", "problem"), [
    ({"gpu_simulated_gpu": {"gpus": 2}}, "host h: gpu_simulated_gpu: {'gpus': 2}: a map with model and gpus is needed; fix: write"),
    ({"gpu_simulated_gpu": "T4"}, "host h: gpu_simulated_gpu: 'T4'"),
    ({"gpu_facts": ["L4"]}, "host h: gpu_facts: list: a map is needed"),
    ({"gpu_facts": {"gpus": [{"product": "L4"}, {"product": "T4"}]}}, "host h: gpu_facts: L4, T4: a simulated node has GPUs of one model"),
    ({"gpu_facts": {"gpus": [{"uuid": "x"}]}}, "host h: gpu_facts.gpus: a device without model"),
    ({"node_labels": ["a"]}, "host h: node_labels: 'a': a label is key=value; fix: write a=true"),
    ({"node_taints": ["a"]}, "host h: node_taints: 'a': a taint is key=value:Effect; fix: write a:NoSchedule"),
])
def test_what_cannot_become_a_node_is_refused(variables, problem):
    with pytest.raises(rehearsal.Rejected) as caught:
        rehearsal.descriptions({"h": variables}, [])
    assert str(caught.value).startswith(problem)


def test_all_hosts_that_are_refused_are_named_at_once():
    hostvars = {"a": {"node_labels": ["x"]}, "b": {"node_taints": ["y"]}, "c_1": {}, "c-1": {}}
    with pytest.raises(AnsibleFilterError) as caught:
        rehearsal_nodes(list(hostvars), hostvars)
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["host a", "host b", "host c-1"]
    assert "would be called c-1, like that of c_1" in lines[2]


def test_a_declared_node_takes_the_place_of_a_host_of_its_name():
    hostvars = {"A": {"gpu_simulated_gpu": {"model": "T4"}}, "b": {}}
    assert rehearsal_nodes(["A", "b"], hostvars, [{"name": "a", "model": "L4"}]) == [dict(BARE, name="b"), {"name": "a", "model": "L4"}]
