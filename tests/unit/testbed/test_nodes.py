# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Node descriptions: what they become, and what is refused in which words."""

from __future__ import annotations

import json

import pytest
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import nodes
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.errors import BadInput


def describe(model, gpus, driver_version):
    if model == "T5":
        raise ValueError("is not a known model; known are T4")
    return {"product": model, "gpus": gpus, "driver": driver_version}


def names(descriptions):
    return [node["metadata"]["name"] for node in nodes.manifests(descriptions, describe)]


def refusals(*descriptions):
    with pytest.raises(BadInput) as caught:
        nodes.manifests(list(descriptions), describe)
    return caught.value.problems


def test_one_node_is_called_as_described_and_several_are_numbered():
    assert names([{"name": "one", "nodes": 1}, {"name": "many", "nodes": 3}]) == ["one", "many-1", "many-2", "many-3"]


def test_a_gpu_node_carries_its_hardware_and_no_gpus():
    node = nodes.manifests([{"name": "a", "model": "T4", "gpus": 2, "driver_version": "570.86.10"}], describe)[0]
    assert json.loads(node["metadata"]["annotations"][nodes.HARDWARE]) == {"product": "T4", "gpus": 2, "driver": "570.86.10"}
    assert node["metadata"]["annotations"]["kwok.x-k8s.io/node"] == "fake"
    assert set(node["status"]["capacity"]) == {"cpu", "memory", "pods", "ephemeral-storage"}
    assert node["status"]["capacity"] == node["status"]["allocatable"]


def test_a_node_without_a_model_is_a_cpu_node_and_one_with_a_model_has_a_gpu():
    cpu, gpu = nodes.manifests([{"name": "cpu"}, {"name": "gpu", "model": "T4"}], describe)
    assert nodes.HARDWARE not in cpu["metadata"]["annotations"]
    assert json.loads(gpu["metadata"]["annotations"][nodes.HARDWARE])["gpus"] == 1


def test_a_fault_stands_in_its_annotation():
    assert nodes.manifests([{"name": "a", "model": "T4", "fault": "crash"}], describe)[0]["metadata"]["annotations"][nodes.FAULT] == "crash"


def test_numbers_from_templates_may_be_text():
    assert names([{"name": "a", "nodes": "2"}]) == ["a-1", "a-2"]


@pytest.mark.parametrize(
    "wrong, said",
    [
        pytest.param({"name": "A"}, ("[0].name: 'A'", "fix: write a name such as a100"), id="upper case name"),
        pytest.param({"name": "a" * 63, "nodes": 2}, ("[0].name", "with its number"), id="name too long with its number"),
        pytest.param({}, ("[0].name: None",), id="no name"),
        pytest.param({"name": "a", "gpus": -1, "model": "T4"}, ("[0].gpus: -1: must be a whole number from 0 to 16",), id="negative gpus"),
        pytest.param({"name": "a", "gpus": True, "model": "T4"}, ("[0].gpus: True",), id="true is not a number"),
        pytest.param({"name": "a", "gpus": 2}, ("[0].model: None: is missing although gpus is 2", "CPU node"), id="gpus without model"),
        pytest.param({"name": "a", "gpus": 0, "model": "T4"}, ("[0].gpus: 0: must be at least 1 where a model is given",), id="model without gpus"),
        pytest.param({"name": "a", "model": "T5"}, ("[0].model: 'T5'", "known are T4"), id="unknown model"),
        pytest.param({"name": "a", "gpu": 2}, ("[0].gpu: 2: is not a key", "did you mean gpus?"), id="misspelt key"),
        pytest.param({"name": "a", "zzz": 2}, ("[0].zzz: 2: is not a key", "use name, nodes, model"), id="foreign key"),
        pytest.param({"name": "a", "nodes": 0}, ("[0].nodes: 0",), id="no nodes"),
        pytest.param({"name": "a", "memory": "64 GB"}, ("[0].memory: '64 GB'", "512Gi"), id="memory"),
        pytest.param({"name": "a", "driver_version": 570.1}, ("[0].driver_version: 570.1", "in quotes"), id="driver version as number"),
        pytest.param({"name": "a", "fault": "sleepy"}, ("[0].fault: 'sleepy'", "never-ready, stale-capacity, crash"), id="fault"),
        pytest.param({"name": "a", "labels": {"x": True}}, ("[0].labels[x]: True", "quotes"), id="label value true"),
        pytest.param({"name": "a", "labels": {"-x": "1"}}, ("[0].labels: '-x'", "label key"), id="label key"),
        pytest.param({"name": "a", "labels": ["x"]}, ("[0].labels: ['x']: must be a mapping",), id="labels as list"),
        pytest.param({"name": "a", "taints": [{"key": "x"}]}, ("[0].taints[0].effect: None", "NoSchedule"), id="taint without effect"),
        pytest.param({"name": "a", "taints": [{"key": "x", "efect": "y"}]}, ("[0].taints[0]", "key, value and effect"), id="misspelt taint"),
        pytest.param({"name": "a", "taints": {"key": "x"}}, ("[0].taints", "must be a list"), id="taints as mapping"),
        pytest.param("a", ("[0]: 'a': must be a mapping",), id="text"),
    ],
)
def test_what_is_wrong_is_named_with_value_rule_and_fix(wrong, said):
    problems = refusals(wrong)
    assert len(problems) == 1
    assert problems[0].startswith("gpu_simulated_nodes[0]") and "; fix: " in problems[0]
    assert all(text in problems[0] for text in said), problems


def test_all_problems_are_reported_at_once():
    problems = refusals({"name": "a", "gpus": 99}, {"name": "B"}, {"name": "c", "fault": "x"})
    assert [problem.split(":")[0] for problem in problems] == [
        "gpu_simulated_nodes[0].gpus",
        "gpu_simulated_nodes[1].name",
        "gpu_simulated_nodes[2].fault",
    ]


def test_two_descriptions_cannot_make_the_same_node():
    problems = refusals({"name": "a", "nodes": 2}, {"name": "a-2"})
    assert problems == [
        "gpu_simulated_nodes[1].name: 'a-2': node a-2 is described by gpu_simulated_nodes[0] as well; fix: give each description a name of its own"
    ]


def test_a_list_is_wanted():
    with pytest.raises(BadInput, match="must be a list"):
        nodes.manifests({"name": "a"}, describe)
