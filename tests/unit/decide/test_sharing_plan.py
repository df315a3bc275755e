# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sharing plan: exact arithmetic, no write without need, and after a plan is applied there is nothing left to do."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import sharing
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.sharing_report import actions, diff, timeout_message

CONFIG = "nvidia.com/device-plugin.config"


def by(replicas, name="shared", strategy="time_slicing", resource="nvidia.com/gpu", **more):
    return dict({"name": name, "strategy": strategy, "resources": [{"name": resource, "replicas": replicas}]}, **more)


def node(name="a", gpus=2, config=None, compute=(8, 0), owned=False, allocatable=None, capacity=None, **labels):
    found = {"nvidia.com/gpu.count": str(gpus), "nvidia.com/gpu.compute.major": str(compute[0]), "nvidia.com/gpu.compute.minor": str(compute[1])}
    found.update(labels)
    if config:
        found[CONFIG] = config
    resources = {"nvidia.com/gpu": gpus} if allocatable is None else allocatable
    return {
        "name": name,
        "labels": found,
        "owned_labels": [CONFIG] if owned else [],
        "annotated": True,
        "simulated": False,
        "allocatable": resources,
        "capacity": resources if capacity is None else capacity,
    }


def plan(nodes, configs, default=None, node_configs=(), config_map=None, selected=None, namespace=True, mounted=False):
    chosen = selected or {index: entry.get("nodes", []) for index, entry in enumerate(node_configs)}
    current = sharing.Current(namespace, config_map, nodes, chosen, mounted)
    desired = sharing.desire(configs, default, list(node_configs))
    return current, desired, sharing.make_plan(current, desired)


def stored(desired, pending=()):
    return {"data": dict(desired.data), "owned": sorted(desired.data), "pending": list(pending), "labelled": True}


def refusals(made):
    return [problem.text() for problem in made.problems if problem.severity == "refuse"]


EXPECTED = [
    ("not shared", {"name": "w", "strategy": "none"}, node(gpus=8), {"nvidia.com/gpu": 8}),
    ("time-slicing multiplies", by(4), node(gpus=8), {"nvidia.com/gpu": 32}),
    ("MPS multiplies", by(16, strategy="mps"), node(gpus=3), {"nvidia.com/gpu": 48}),
    ("renamed", by(4, rename_by_default=True), node(gpus=2), {"nvidia.com/gpu.shared": 8}),
    ("an absent resource shares nothing", by(4, resource="nvidia.com/mig-1g.10gb"), node(gpus=2), {"nvidia.com/gpu": 2}),
    (
        "MIG devices of the mixed strategy",
        by(3, resource="nvidia.com/mig-1g.10gb"),
        node(gpus=2, **{"nvidia.com/mig-1g.10gb.count": "7"}),
        {"nvidia.com/gpu": 2, "nvidia.com/mig-1g.10gb": 21},
    ),
]


@pytest.mark.parametrize("config, record, counts", [row[1:] for row in EXPECTED], ids=[row[0] for row in EXPECTED])
def test_expected_is_exact(config, record, counts):
    document = sharing.desire([config], config["name"], []).documents["default"]
    assert sharing.expected(record, document) == counts


def test_expected_is_unknown_until_the_gpus_are_counted():
    record = node()
    del record["labels"]["nvidia.com/gpu.count"]
    assert sharing.expected(record, sharing.desire([by(4)], "shared", []).documents["default"]) is None


READY = {"nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.sharing-strategy": "time-slicing"}
STALE = {"nvidia.com/gpu.replicas": "2", "nvidia.com/gpu.sharing-strategy": "time-slicing"}
NOT_READY = [
    ("advertises 2 nvidia.com/gpu, should be 8", node(gpus=2, **READY)),
    ("has a capacity of 2 nvidia.com/gpu, should be 8", node(gpus=2, allocatable={"nvidia.com/gpu": 8}, capacity={"nvidia.com/gpu": 2}, **READY)),
    ("advertises 8 nvidia.com/gpu.shared, should be 0", node(gpus=2, allocatable={"nvidia.com/gpu": 8, "nvidia.com/gpu.shared": 8}, **READY)),
    ("its label nvidia.com/gpu.replicas is 2, should be 4", node(gpus=2, allocatable={"nvidia.com/gpu": 8}, **STALE)),
    ("its label nvidia.com/gpu.sharing-strategy is None, should be time-slicing", node(gpus=2, allocatable={"nvidia.com/gpu": 8})),
]


@pytest.mark.parametrize("reason, record", NOT_READY, ids=[row[0] for row in NOT_READY])
def test_a_node_that_does_not_follow_says_what_it_has_and_should_have(reason, record):
    (result,) = sharing.node_results([record], sharing.desire([by(4)], "shared", []))
    assert (result["ready"], result["reason"]) == (False, reason)


def test_an_old_resource_at_zero_does_not_hold_a_node_back():
    record = node(gpus=2, allocatable={"nvidia.com/gpu": 0, "nvidia.com/gpu.shared": 8}, capacity={"nvidia.com/gpu": 2, "nvidia.com/gpu.shared": 8}, **READY)
    (result,) = sharing.node_results([record], sharing.desire([by(4, rename_by_default=True)], "shared", []))
    assert result["ready"], result["reason"]


def test_the_first_run_writes_and_restarts_nothing():
    current, desired, made = plan([node()], [by(4)], "shared", namespace=False)
    assert (made.create_namespace, made.write_config_map, made.labels, made.restart, made.pending) == (True, True, [], [], [])


def test_a_second_run_changes_nothing():
    nodes = [node("a", config="shared", owned=True), node("b")]
    entries = [{"config": "shared", "nodes": ["a"]}]
    desired = sharing.desire([by(4)], None, entries)
    current, desired, made = plan(nodes, [by(4)], None, entries, stored(desired))
    assert not made.changed and actions(made, "ns", "cm") == [] and diff(current, made.data, made.labels, "ns", "cm") == []


def test_new_content_restarts_exactly_the_nodes_that_use_it():
    old = sharing.desire([by(4), by(2, name="other")], "shared", [])
    nodes = [node("a"), node("b", config="other"), node("c")]
    _unused, _unused, made = plan(nodes, [by(6), by(2, name="other")], "shared", config_map=stored(old))
    assert (made.restart, made.pending) == (["a", "c"], ["default"])


def test_a_config_map_deleted_under_running_pods_is_written_and_they_are_restarted():
    _unused, _unused, made = plan([node("a"), node("b", config="other")], [by(4), by(2, name="other")], "shared", mounted=True)
    assert (made.write_config_map, made.restart, made.pending) == (True, ["a", "b"], ["default", "other"])


def test_an_interrupted_restart_is_taken_up_again():
    desired = sharing.desire([by(4)], "shared", [])
    _unused, _unused, made = plan([node("a")], [by(4)], "shared", config_map=stored(desired, pending=["default"]))
    assert (made.changed, made.write_config_map, made.restart) == (True, False, ["a"])


def test_keys_of_others_stay_and_our_former_keys_go():
    desired = sharing.desire([by(4)], "shared", [])
    there = stored(desired)
    there["data"].update(theirs="x", ours="y")
    there["owned"].append("ours")
    _unused, _unused, made = plan([node()], [by(4)], "shared", config_map=there)
    assert made.write_config_map and sorted(made.data) == ["default", "shared", "theirs"]


def test_a_label_that_we_set_goes_with_its_assignment_and_anothers_stays():
    desired = sharing.desire([by(4)], None, [])
    nodes = [node("ours", config="shared", owned=True), node("theirs", config="shared")]
    _unused, _unused, made = plan(nodes, [by(4)], config_map=stored(desired))
    assert [(write.name, write.seen, write.wanted) for write in made.labels] == [("ours", "shared", None)]


def test_a_foreign_label_value_is_taken_over_where_the_node_is_assigned():
    _unused, _unused, made = plan([node("a", config="old")], [by(4)], node_configs=[{"config": "shared", "nodes": ["a"]}])
    assert [(write.seen, write.wanted, write.owned) for write in made.labels] == [("old", "shared", [CONFIG])]
    assert refusals(made) == []


def test_a_selector_that_matches_nothing_is_refused():
    _unused, _unused, made = plan([node()], [by(4)], node_configs=[{"config": "shared", "selector": "pool=x"}], selected={0: []})
    assert refusals(made)[0].startswith("node_configs[0].selector: 'pool=x': the selector matches none of the 1 nodes")


def test_a_role_has_its_own_variables_named():
    entries = [{"config": "shared", "selector": "x=1"}, {"config": "mps", "selector": "y=1"}, {"config": "shared", "nodes": ["zz"]}]
    configs = [by(4), by(20, name="mps", strategy="mps"), by(2, name="spare", resource="nvidia.com/mig-1g.5gb")]
    current = sharing.Current(True, None, [node("a"), node("b", compute=(7, 0))], {0: ["a"], 1: ["a", "b"], 2: ["zz"]})
    made = sharing.make_plan(current, sharing.desire(configs, "spare", entries), "gpu_sharing_")
    paths = {problem.path for problem in made.problems}
    assert paths == {"gpu_sharing_node_configs[2].nodes", "gpu_sharing_node_configs[1]", "gpu_sharing_configs[1].resources[0].replicas"}


def test_an_unknown_node_name_is_refused():
    _unused, _unused, made = plan([node()], [by(4)], node_configs=[{"config": "shared", "nodes": ["zz"]}])
    assert "the cluster has no such node: zz" in refusals(made)[0]


def test_a_label_that_names_a_missing_key_is_refused():
    _unused, _unused, made = plan([node("a", config="gone")], [by(4)])
    assert refusals(made)[0].startswith("node a: 'gone': its label") and "crash-loops" in refusals(made)[0]


def test_two_selectors_that_meet_on_a_node_are_refused():
    entries = [{"config": "shared", "selector": "x=1"}, {"config": "mps", "selector": "y=1"}]
    _unused, _unused, made = plan([node("a")], [by(4), by(4, name="mps", strategy="mps")], node_configs=entries, selected={0: ["a"], 1: ["a"]})
    assert "node a gets shared (time_slicing)" in refusals(made)[0]


@pytest.mark.parametrize("compute, replicas, refused", [((7, 0), 17, True), ((7, 0), 16, False), ((7, 5), 48, False), ((6, 1), 48, True)])
def test_the_mps_ceiling_follows_the_compute_capability(compute, replicas, refused):
    _unused, _unused, made = plan([node("a", compute=compute)], [by(replicas, strategy="mps")], "shared")
    assert bool(refusals(made)) == refused


def test_a_resource_that_the_node_does_not_have_warns():
    _unused, _unused, made = plan([node("a")], [by(4, resource="nvidia.com/mig-1g.10gb")], "shared")
    assert [problem.severity for problem in made.problems] == ["warn"] and "would share nothing there" in made.problems[0].text()


@pytest.mark.parametrize("held, refused", [(8, False), (9, True)])
def test_shrinking_below_what_runs_is_refused(held, refused):
    record = node("a", gpus=2, allocatable={"nvidia.com/gpu": 16})
    current, desired, made = plan([record], [by(4)], "shared")
    found = sharing.shrink_problems(current, desired, made, {"a": {"nvidia.com/gpu": held}})
    assert bool(found) == refused
    if refused:
        assert "running pods hold 9 nvidia.com/gpu, and 8 would be left" in found[0].text()


FOREIGN = {"a network device": "nvidia.com/hostdev", "a MIG device that is not named": "nvidia.com/mig-1g.10gb"}


@pytest.mark.parametrize("resource", FOREIGN.values(), ids=FOREIGN)
def test_what_a_plan_does_not_govern_cannot_shrink(resource):
    record = node("a", gpus=2, allocatable={"nvidia.com/gpu": 2, resource: 4})
    current, desired, made = plan([record], [by(4)], "shared")
    assert sharing.shrinking(current, desired, made) == {}
    assert sharing.shrink_problems(current, desired, made, {"a": {resource: 1}}) == []


def test_renaming_under_running_pods_counts_as_shrinking():
    current, desired, made = plan([node("a", gpus=2)], [by(4, rename_by_default=True)], "shared")
    assert sharing.shrink_problems(current, desired, made, {"a": {"nvidia.com/gpu": 1}})


THERE = {
    "none": (None, (False, {})),
    "ours": ({"data": {"default": "x"}, "owned": ["default"]}, (True, {})),
    "somebody else's": ({"data": {"theirs": "x"}, "owned": []}, (False, {"theirs": "x"})),
    "ours with keys of others": ({"data": {"default": "x", "theirs": "y"}, "owned": ["default"]}, (True, {"theirs": "y"})),
}


@pytest.mark.parametrize("config_map, removed", THERE.values(), ids=THERE)
def test_removing_everything_takes_what_is_ours_and_nothing_else(config_map, removed):
    nodes = [node("ours", config="shared", owned=True), node("theirs", config="shared")]
    there = config_map and dict(config_map, pending=[], labelled=True)
    removal = sharing.make_removal(sharing.Current(True, there, nodes, {}))
    assert [write.name for write in removal.labels] == ["ours"] and removal[1:] == removed


def test_the_timeout_names_nodes_and_the_trouble_of_their_pods():
    nodes = sharing.node_results([node("a")], sharing.desire([by(4)], "shared", []))
    text = timeout_message(nodes, [{"name": "plugin-1", "node": "a", "trouble": "CrashLoopBackOff"}], minimum=2)
    assert "- a (default): advertises 2 nvidia.com/gpu, should be 8; pod plugin-1: CrashLoopBackOff" in text
    assert "minimum_nodes is 2" in text


def applied(current, desired, made):
    """Play an API server on which the whole plan was carried out."""
    nodes = []
    for record in current.nodes:
        record = dict(record, labels=dict(record["labels"]))
        for write in made.labels:
            if write.name == record["name"]:
                record["labels"].pop(CONFIG, None)
                if write.wanted is not None:
                    record["labels"][CONFIG] = write.wanted
                record["owned_labels"] = write.owned
        nodes.append(record)
    owned = set(current.config_map["owned"] if current.config_map else ()) & set(made.data) | set(desired.data)
    return sharing.Current(True, {"data": made.data, "owned": sorted(owned), "pending": [], "labelled": True}, nodes, current.selected)


LABELS = [(None, False), ("shared", True), ("shared", False), ("other", True)]
MAPS = [None, [], ["default"]]
CASES = list(itertools.product(LABELS, MAPS, [None, "a"], [4, 6]))


@pytest.mark.parametrize("label, pending, assigned, replicas", CASES, ids=str)
def test_after_a_plan_is_applied_nothing_is_left_to_do(label, pending, assigned, replicas):
    entries = [{"config": "other", "nodes": [assigned]}] if assigned else []
    configs = [by(replicas), by(2, name="other")]
    there = None if pending is None else stored(sharing.desire([by(4), by(2, name="other")], "shared", []), pending)
    current, desired, made = plan([node("a", config=label[0], owned=label[1])], configs, "shared", entries, there)
    assert not sharing.make_plan(applied(current, desired, made), desired).changed
