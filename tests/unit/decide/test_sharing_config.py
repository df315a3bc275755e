# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Typed sharing configurations: every refusal names path, value, rule and fix, and what is right is left alone."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import sharing_config


def config(name="by-four", strategy="time_slicing", replicas=4, resource="nvidia.com/gpu", **more):
    return dict({"name": name, "strategy": strategy, "resources": [{"name": resource, "replicas": replicas}]}, **more)


def refusals(configs, default=None, node_configs=(), prefix=""):
    found = sharing_config.problems(configs, default, node_configs, prefix)
    return [problem.text() for problem in found if problem.severity == "refuse"]


ACCEPTED = {
    "two replicas": config(replicas=2),
    "48 clients of MPS": config(strategy="mps", replicas=48),
    "a name without prefix is completed": config(resource="gpu"),
    "a MIG resource under time-slicing": config(resource="nvidia.com/mig-1g.10gb"),
    "MPS with the MIG strategy single": config(strategy="mps", mig_strategy="single"),
    "no sharing": {"name": "whole", "strategy": "none"},
    "no sharing with MIG": {"name": "whole", "strategy": "none", "mig_strategy": "mixed"},
    "the longest name": config(name="a" * 63),
}


@pytest.mark.parametrize("accepted", ACCEPTED.values(), ids=ACCEPTED)
def test_a_right_configuration_is_accepted(accepted):
    assert sharing_config.problems([accepted], accepted["name"], []) == []


REFUSED = [
    ("one replica", config(replicas=1), ["configs[0].resources[0].replicas: 1:", "2 or more"]),
    ("no replica", config(replicas=0), ["configs[0].resources[0].replicas: 0:"]),
    ("a truth value as replicas", config(replicas=True), ["configs[0].resources[0].replicas: True:"]),
    ("49 clients of MPS", config(strategy="mps", replicas=49), ["replicas: 49:", "at most 48", "fix: lower replicas to 48"]),
    ("a foreign resource", config(resource="amd.com/gpu"), ["configs[0].resources[0].name: 'amd.com/gpu':", "nvidia.com"]),
    ("what no spelling mends", config(resource="nvidia.com/GPU x"), ["'nvidia.com/GPU x'", "fix: write it as nvidia.com/gpu"]),
    ("upper case", config(resource="nvidia.com/GPU"), ["'nvidia.com/GPU'", "fix: write it as nvidia.com/gpu"]),
    ("a name of 64 characters", config(resource="nvidia.com/" + "a" * 53), ["at most 63 characters"]),
    ("no name behind the prefix", config(resource="nvidia.com/"), ["RFC 1123"]),
    ("a configuration name with a space", config(name="by four"), ["configs[0].name: 'by four':", "node label"]),
    ("a configuration name of 64 characters", config(name="a" * 64), ["at most 63"]),
    ("sharing nothing", config(resources=[]), ["configs[0].resources: []:", "at least one resource"]),
    ("resources without a strategy", config(strategy="none"), ["configs[0].resources:", "shares nothing"]),
    ("renaming without a strategy", {"name": "x", "strategy": "none", "rename_by_default": True}, ["without sharing"]),
    ("MPS with mixed MIG", config(strategy="mps", mig_strategy="mixed"), ["configs[0].mig_strategy: 'mixed':"]),
    ("MPS of a MIG device", config(strategy="mps", resource="nvidia.com/mig-1g.10gb"), ["does not share MIG devices by MPS"]),
    (
        "a resource twice",
        {"name": "x", "strategy": "mps", "resources": [{"name": "gpu", "replicas": 2}, {"name": "nvidia.com/gpu", "replicas": 3}]},
        ["configs[0].resources[1].name:", "twice"],
    ),
]


@pytest.mark.parametrize("refused, words", [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_wrong_configuration_is_refused_with_path_value_rule_and_fix(refused, words):
    texts = refusals([refused])
    assert len(texts) == 1
    assert all(word in texts[0] for word in words + ["; fix: "])


def test_time_slicing_beyond_48_only_warns():
    (problem,) = sharing_config.problems([config(replicas=49)], "by-four", [])
    assert (problem.severity, problem.value) == ("warn", 49)


def test_a_configuration_that_no_node_uses_warns():
    configs = [config(), config("default"), config("spare"), config("some")]
    (problem,) = sharing_config.problems(configs[1:], None, [{"config": "some", "nodes": ["a"]}], "gpu_sharing_")
    assert (problem.severity, problem.path, problem.value) == ("warn", "gpu_sharing_configs[1].name", "spare")
    assert sharing_config.problems(configs[:1], "by-four", []) == []


def test_two_assignments_that_meet_on_many_nodes_are_one_problem():
    entries = [{"config": "by-four", "nodes": ["a", "b", "c"]}, {"config": "mps", "nodes": ["c", "b"]}]
    (text,) = refusals([config(), config("mps", strategy="mps")], node_configs=entries)
    assert "node c (and 1 more) gets by-four (time_slicing) from node_configs[0] and mps (mps) from here" in text


def test_a_duplicate_name_is_refused():
    (text,) = refusals([config(), config(replicas=2)])
    assert "configs[1].name: 'by-four': the name is taken by configs[0]" in text


def test_an_undefined_default_is_refused_and_the_defined_ones_are_named():
    (text,) = refusals([config()], default="by-five", prefix="gpu_sharing_")
    assert text.startswith("gpu_sharing_default: 'by-five':") and "defined: by-four" in text


def test_a_configuration_named_default_beside_another_default_is_refused():
    (text,) = refusals([config(), config(name="default")], default="by-four")
    assert text.startswith("default: 'by-four':")


@pytest.mark.parametrize("entry", [{}, {"nodes": ["a"], "selector": "x=y"}], ids=["neither", "both"])
def test_an_assignment_needs_exactly_one_of_nodes_and_selector(entry):
    (text,) = refusals([config()], node_configs=[dict(entry, config="by-four")])
    assert text.startswith("node_configs[0]:") and "exactly one" in text


FOLLOWING = ["nvidia.com/gpu.replicas=1", "pool=a,nvidia.com/gpu.sharing-strategy!=mps", "!nvidia.com/device-plugin.config", "nvidia.com/mps.capable"]


@pytest.mark.parametrize("selector", FOLLOWING)
def test_an_assignment_by_a_label_that_follows_the_sharing_is_refused(selector):
    (text,) = refusals([config()], node_configs=[{"config": "by-four", "selector": selector}])
    assert text.startswith("node_configs[0].selector: %r:" % selector) and "would undo itself" in text


def test_an_undefined_per_node_configuration_is_refused():
    (text,) = refusals([config()], node_configs=[{"config": "nobody", "nodes": ["a"]}])
    assert text.startswith("node_configs[0].config: 'nobody':")


def test_time_slicing_and_mps_on_one_node_is_refused_and_both_are_named():
    configs = [config(), config(name="mps", strategy="mps")]
    entries = [{"config": "by-four", "nodes": ["a", "b"]}, {"config": "mps", "nodes": ["b"]}]
    (text,) = refusals(configs, node_configs=entries)
    assert "node b gets by-four (time_slicing) from node_configs[0] and mps (mps) from here" in text


def test_a_node_named_twice_for_the_same_configuration_is_no_conflict():
    assert refusals([config()], node_configs=[{"config": "by-four", "nodes": ["a"]}, {"config": "by-four", "nodes": ["a"]}]) == []


def test_all_problems_come_at_once():
    assert len(refusals([config(replicas=1), config(name="x y")], default="nobody")) == 3


def test_more_than_a_config_map_takes_is_refused():
    (problem,) = sharing_config.size_problems({"a": "x" * sharing_config.CONFIG_MAP_BYTES})
    assert "1048576 bytes" in problem.text()
    assert sharing_config.size_problems({"a": "x" * (sharing_config.CONFIG_MAP_BYTES - 1)}) == []


def test_a_document_is_what_the_plugin_reads():
    meaning = sharing_config.document(config(resource="gpu", rename_by_default=True, fail_requests_greater_than_one=False))
    assert yaml.safe_load(sharing_config.text(meaning)) == {
        "version": "v1",
        "flags": {"migStrategy": "none"},
        "sharing": {
            "timeSlicing": {
                "renameByDefault": True,
                "failRequestsGreaterThanOne": False,
                "resources": [{"name": "nvidia.com/gpu", "replicas": 4}],
            }
        },
    }


def test_the_default_key_is_always_there():
    assert sharing_config.documents([], None) == {"default": {"version": "v1", "flags": {"migStrategy": "none"}}}
    shared = sharing_config.documents([config()], "by-four")
    assert shared["default"] == shared["by-four"] and sorted(shared) == ["by-four", "default"]
