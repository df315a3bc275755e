# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter judges variables as the module would judge its options, and the role hands it all of them."""

from __future__ import annotations

import pathlib

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.gpuops.kubernetes.plugins.filter import validation_problems as plugin

TASKS = pathlib.Path(plugin.__file__).parents[2] / "roles" / "gpu_validation" / "tasks"

GOOD = {
    "nothing": {},
    "numbers and booleans as text": {"requests_per_pod": "2", "minimum_nodes": "0", "timeout": "60", "saturate": "no", "keep": "False"},
    "a list as text": {"workload": "custom", "image": "x", "capabilities": "SYS_ADMIN,NET_ADMIN"},
    "a toleration without what is optional": {"tolerations": [{"key": "team", "operator": "Exists"}]},
    "null where the module has a default": {"image": None, "node_selector": None},
}
BAD = {
    "a pattern": ({"workload": "custom", "image": "x", "success_pattern": "(PASSED"}, "v_success_pattern: '(PASSED': not a regular expression"),
    "a resource": ({"resource": "amd.com/gpu"}, "v_resource: 'amd.com/gpu': not an NVIDIA resource"),
    "a capability": ({"workload": "custom", "image": "x", "capabilities": ["A", "CAP_B"]}, "v_capabilities[1]: 'CAP_B': not a capability"),
    "to fill GPUs with pods that end": ({"saturate": "yes", "workload": "vectoradd"}, "v_saturate: True: workload vectoradd ends"),
    "a namespace": ({"namespace": "GPU tests"}, "v_namespace: 'GPU tests': not a name of a namespace"),
    "an own workload without an image": ({"workload": "custom"}, "v_image: '': workload custom has no image"),
    "a small number as text": ({"minimum_nodes": "-1"}, "v_minimum_nodes: -1: must be 0 or more"),
    "text that is no number": ({"requests_per_pod": "two"}, "v_requests_per_pod: 'two': argument 'requests_per_pod' is of type"),
    "an unknown workload": ({"workload": "vectorad"}, "v_workload: 'vectorad': value of workload must be one of: scheduling, vectoradd"),
    "an unknown key": ({"tolerations": [{"keys": "team", "operator": "Exists"}]}, "v_tolerations: [{'keys': 'team', 'operator': 'Exists'}]: tolerations.keys"),
}


@pytest.mark.parametrize("options", GOOD.values(), ids=GOOD)
def test_what_the_module_takes_is_no_problem(options):
    assert plugin.validation_problems(options) == []


@pytest.mark.parametrize("options, words", BAD.values(), ids=BAD)
def test_what_the_module_refuses_is_named_by_variable_value_rule_and_fix(options, words):
    (text,) = plugin.validation_problems(options, prefix="v_")
    assert text.startswith(words) and "; fix: " in text


def test_all_problems_are_told_at_once():
    found = plugin.validation_problems({"requests_per_pod": "two", "resource": "amd.com/gpu", "namespace": "A"}, prefix="v_")
    assert sorted(text.partition(":")[0] for text in found) == ["v_namespace", "v_requests_per_pod", "v_resource"]


@pytest.mark.parametrize("options", [{"workloads": "scheduling"}, {"kubeconfig": "x"}, ["scheduling"], None])
def test_wrong_use_is_an_error(options):
    with pytest.raises(AnsibleFilterError, match="a map of options is needed"):
        plugin.validation_problems(options)


def test_the_role_checks_the_same_values_that_it_hands_to_the_module():
    (checking,) = [task for task in yaml.safe_load((TASKS / "preflight.yml").read_text()) if "__gpu_validation_options" in task.get("vars", {})]
    (running,) = [task["gpuops.kubernetes.gpu_validation"] for task in yaml.safe_load((TASKS / "validate.yml").read_text())]
    handed = {name: value for name, value in running.items() if name not in ("kubeconfig", "context")}
    assert checking["vars"]["__gpu_validation_options"] == handed


def test_filter_is_offered_by_its_name():
    assert plugin.FilterModule().filters() == {"validation_problems": plugin.validation_problems}
