# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maintenance plans: whose cordon it is, which pods a drain takes, what speaks against it, and when a node is ready."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import maintenance as decide
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import maintenance_report as report

OURS = {decide.CORDONED: "driver"}
SINCE = "2026-01-02T03:04:05Z"


def node(name="a", unschedulable=False, annotations=None, **more):
    plain = {"labels": {}, "taints": [], "missing": [], "shared_labels": [], "conditions": {"Ready": {"status": "True"}}, "version": "v1.34.1+k3s1"}
    return dict(plain, name=name, unschedulable=unschedulable, annotations=annotations or {}, **more)


def pod(name="p", uid="", **more):
    plain = {"namespace": "ml", "node": "a", "phase": "Running", "ready": True, "controller": "ReplicaSet", "mirror": False, "empty_dirs": []}
    return dict(plain, name=name, uid=uid or name, terminating="", finalizers=[], labels={"app": "x"}, tolerations=[], **more)


def changed(record, **more):
    return dict(record, **more)


def budget(name="pdb", namespace="ml", selector=None, current=2, desired=2, expected=2, **more):
    selector = {"matchLabels": {"app": "x"}} if selector is None else selector
    plain = {"bound": "minAvailable: 2", "frees_unhealthy": False, "allowed": 0, "trouble": ""}
    return dict(plain, name=name, namespace=namespace, selector=selector, current=current, desired=desired, expected=expected, **more)


# state before, changes of cordon, changes of uncordon: as (part of the path, value seen, value wanted)
FREE, HELD, LEFT, FOREIGN = node(), node("a", True, OURS), node("a", False, OURS), node("a", True)
CORDONS = {
    "a free node": (FREE, [("unschedulable", None, True), (decide.CORDONED, None, "new")], []),
    "a node that we cordoned": (HELD, [], [("unschedulable", True, None), (decide.CORDONED, "driver", None)]),
    "a node that somebody uncordoned meanwhile": (LEFT, [("unschedulable", None, True)], [(decide.CORDONED, "driver", None)]),
    "a node that somebody else cordoned": (FOREIGN, [], []),
}


@pytest.mark.parametrize("before, cordon, uncordon", CORDONS.values(), ids=CORDONS)
def test_a_cordon_is_taken_off_only_where_it_is_ours(before, cordon, uncordon):
    assert [(change.path[-1], change.seen, change.wanted) for change in decide.cordon(before, "new")] == cordon
    assert [(change.path[-1], change.seen, change.wanted) for change in decide.uncordon(before)] == uncordon


def test_a_cordon_of_somebody_else_that_stays_is_warned_of():
    nodes = {"a": node("a", True), "b": node("b", True, OURS)}
    result = report.uncordon_result(nodes, decide.node_writes(nodes, decide.uncordon))
    assert [text.split(",")[0] for text in result["warnings"]] == ["a: left cordoned"]
    assert [(view["name"], view["cordoned"], view["by_us"], view["reason"]) for view in result["nodes"]] == [("a", True, False, ""), ("b", False, False, "")]


GOES = {
    "a pod of a ReplicaSet": ({}, True),
    "a pod without a controller": ({"controller": ""}, True),
    "a pod of a DaemonSet": ({"controller": "DaemonSet"}, False),
    "a finished pod of a DaemonSet": ({"controller": "DaemonSet", "phase": "Failed"}, True),
    "a mirror pod": ({"controller": "Node", "mirror": True}, False),
    "a finished mirror pod": ({"mirror": True, "phase": "Succeeded"}, False),
    "a pod that is ending": ({"terminating": SINCE}, True),
}


@pytest.mark.parametrize("more, taken", GOES.values(), ids=GOES)
def test_a_drain_takes_what_kubectl_drain_would_take(more, taken):
    assert decide.goes(changed(pod(), **more)) is taken


def test_pods_that_are_ending_are_waited_for_and_not_evicted_again():
    nodes = {"a": node()}
    drain = decide.make_drain(nodes, [pod("p"), changed(pod("q"), terminating=SINCE), pod("r")], "driver", ["p", "q"])
    assert ([each["name"] for each in drain.evict], [each["name"] for each in drain.ending]) == (["p"], ["q"])
    result = report.drain_result(nodes, drain)
    assert result["actions"] == ["cordon a", "evict 1 pod from a (ml/p)"] and result["pods"] == [{"node": "a", "namespace": "ml", "name": "p"}]
    (shown,) = result["diff"]
    assert shown["before"] == "unschedulable: false\npod ml/p\n"
    assert shown["after"] == "unschedulable: true\nannotation gpuops.kubernetes/cordoned: driver\n"


def test_only_waiting_changes_nothing():
    nodes = {"a": node("a", True, OURS)}
    result = report.drain_result(nodes, decide.make_drain(nodes, [changed(pod(), terminating=SINCE)], "driver"))
    assert (result["changed"], result["actions"], result["diff"], result["pods"]) == (False, [], [], [])


TWO = [budget("one"), budget("two")]
REFUSED = {
    "nothing speaks against it": ({}, [budget()], []),
    "no controller": ({"controller": ""}, [], ["no controller owns it"]),
    "emptyDir": ({"empty_dirs": ["tmp", "data"]}, [], ["its emptyDir volumes (tmp, data)"]),
    "two budgets": ({}, TWO, ["2 PodDisruptionBudgets select it (one, two)"]),
    "two budgets, but it has not started": ({"phase": "Pending"}, TWO, []),
    "two budgets, one in another namespace": ({}, [budget("one"), budget("two", "web")], []),
    "finished": ({"phase": "Succeeded", "controller": "", "empty_dirs": ["data"]}, TWO, []),
    "all at once": ({"controller": "", "empty_dirs": ["data"]}, TWO, ["no controller", "emptyDir", "2 PodDisruptionBudgets"]),
}


@pytest.mark.parametrize("more, budgets, rules", REFUSED.values(), ids=REFUSED)
def test_what_an_eviction_would_lose_is_refused(more, budgets, rules):
    found = decide.drain_problems([changed(pod(), **more)], budgets, False, False, "x_")
    assert len(found) == len(rules) and all(rule in problem.rule and problem.path == "pod ml/p" for rule, problem in zip(rules, found))
    assert len(decide.drain_problems([changed(pod(), **more)], budgets[:1], True, True, "x_")) == 0


LABELS = {"app": "x", "tier": "web"}


def expression(operator, key="app", *values):
    return {"matchExpressions": [dict({"key": key, "operator": operator}, **({"values": list(values)} if values else {}))]}


SELECTORS = [
    (None, False),
    ({}, True),
    ({"matchLabels": {"app": "x"}}, True),
    ({"matchLabels": {"app": "y"}}, False),
    ({"matchLabels": {"app": "x", "no": "z"}}, False),
    (expression("In", "app", "w", "x"), True),
    (expression("In", "app", "w"), False),
    (expression("In", "no", "w"), False),
    (expression("NotIn", "app", "w"), True),
    (expression("NotIn", "app", "x"), False),
    (expression("NotIn", "no", "x"), True),
    (expression("Exists", "tier"), True),
    (expression("Exists", "no"), False),
    (expression("DoesNotExist", "tier"), False),
    (expression("DoesNotExist", "no"), True),
]


@pytest.mark.parametrize("selector, fits", SELECTORS, ids=[str(row[0]) for row in SELECTORS])
def test_a_budget_selects_pods_as_the_api_server_does(selector, fits):
    assert decide.selects(selector, LABELS) is fits


SICK = {"current": 1, "desired": 2, "expected": 3}
HOLDS = {
    "the budget equals the pods": ({}, budget(), "refused", "with its 2 pods it never allows one to go: scale its workload above 2"),
    "another pod is sick": ({}, budget(**SICK), "refused", "mend the pods that it counts (1 of 3 are healthy)"),
    "the pod itself is sick": ({"ready": False}, budget(**SICK), "refused", "set unhealthyPodEvictionPolicy AlwaysAllow"),
    "others are going": ({}, budget(current=3, desired=2, expected=3), "refused", "give more timeout: other pods of it are going"),
    "it cannot be counted": ({}, changed(budget(), trouble="no scale"), "refused", "correct the budget"),
    "it is ending": ({"terminating": SINCE}, budget(), "", "look at the kubelet of a"),
    "it is held by a finalizer": ({"terminating": SINCE, "finalizers": ["x/y"]}, budget(), "", "look at the controllers of these finalizers"),
    "its node comes later": ({"node": "b"}, budget(), "", "run again once that is done"),
}


@pytest.mark.parametrize("more, held_by, answer, fix", HOLDS.values(), ids=HOLDS)
def test_what_holds_a_pod_is_told_with_the_way_out(more, held_by, answer, fix):
    (left,) = report.left_of_drain([changed(pod(), **more)], [held_by], {"p": answer} if answer else {}, "a")
    assert fix in left["fix"] and left["reason"]
    text = report.drain_timeout({"name": "a", "by_us": True}, [left])
    assert "It stays cordoned by us, and the next run goes on. Pods that are left (1):" in text and left["reason"] in text and left["fix"] in text
    if answer:
        assert left["budget"]["name"] == "pdb" and "PodDisruptionBudget pdb holds it (minAvailable: 2, currentHealthy" in left["reason"]


@pytest.mark.parametrize("budgets", [[], TWO], ids=["no budget", "two budgets"])
def test_another_answer_of_the_server_is_told_in_its_own_words(budgets):
    (left,) = report.left_of_drain([pod()], budgets, {"p": "500: more than one PodDisruptionBudget"}, "a")
    assert (left["reason"], left["budget"]) == ("500: more than one PodDisruptionBudget", None)


def test_a_long_list_of_what_is_left_is_cut():
    left = report.left_of_drain([pod("p%d" % number) for number in range(25)], [], {}, "a")
    text = report.drain_timeout({"name": "a", "by_us": False}, left)
    assert text.count("- pod ") == 20 and "- and 5 more" in text and "It stays cordoned by somebody else" in text


def conditions(**states):
    return {kind: {"status": status, "reason": "Why", "message": "so", "lastTransitionTime": SINCE} for kind, status in states.items()}


GOOD = node(conditions=conditions(Ready="True", EtcdIsVoter="True"))
VERSION = "v1.34.1+k3s1"
READY = {
    "ready": ({"a": GOOD}, {}, VERSION, [("a", "", "")]),
    "a version without its v": ({"a": GOOD}, {}, VERSION[1:], [("a", "", "")]),
    "another version": ({"a": GOOD}, {}, "v1.35.0+k3s1", [("a", "its kubelet is v1.34.1+k3s1, should be v1.35.0+k3s1", "")]),
    "unknown": ({"a": None}, {}, "", [("a", "the cluster does not know it", "")]),
    "no condition": ({"a": node(conditions={})}, {}, "", [("a", "it has no condition Ready", "")]),
    "not ready": ({"a": node(conditions=conditions(Ready="False"))}, {}, "", [("a", "its condition Ready is False (Why: so)", SINCE)]),
    "no vote": ({"a": GOOD}, {"a": node(conditions=conditions(Ready="True"))}, "", [("a", "", "")]),
    "another node has no vote": (
        {"a": GOOD},
        {"b": node(conditions=conditions(Ready="True", EtcdIsVoter="False"))},
        VERSION,
        [("a", "", ""), ("b", "its condition EtcdIsVoter is False (Why: so)", SINCE)],
    ),
    "the node itself has no vote": ({"a": node()}, {"a": node()}, "", [("a", "it has no condition EtcdIsVoter", "")]),
    "another node with a vote is down": (
        {"a": GOOD},
        {"b": node(conditions=conditions(Ready="Unknown", EtcdIsVoter="True"))},
        "",
        [("a", "", ""), ("b", "its condition Ready is Unknown (Why: so)", SINCE)],
    ),
}


@pytest.mark.parametrize("nodes, etcd_nodes, version, rows", READY.values(), ids=READY)
def test_a_node_that_is_not_ready_says_what_it_lacks_and_since_when(nodes, etcd_nodes, version, rows):
    found = decide.ready_rows(nodes, etcd_nodes, version)
    assert [(row["name"], row["reason"], row["since"]) for row in found] == rows
    assert [row["ready"] for row in found] == [not reason for _name, reason, _since in rows]


def test_the_wait_that_ends_says_why_nothing_is_known():
    assert "The last look failed: no route" in report.ready_timeout([], "no route")


OPTIONS = {"nodes": ["a"], "state": "drained", "prefix": "x_", "labels": {}, "taints": [], "version": "", "quorum": False, "grace_period": None}
OPTIONS.update(adopt=False, timeout=1.0, sleep=1.0, concurrency=1)
BAD = {
    "nothing": ({}, []),
    "no node": ({"nodes": []}, ["x_nodes"]),
    "not a name": ({"nodes": ["a", "b/status", "", "C"]}, ["x_nodes"] * 3),
    "no grace": ({"grace_period": 0}, ["x_grace_period"]),
    "no time": ({"timeout": -1, "sleep": 0, "concurrency": 0}, ["x_timeout", "x_sleep", "x_concurrency"]),
    "options of other states": ({"labels": {"a": "b"}, "taints": [{}], "version": "v1", "quorum": True}, ["x_labels", "x_quorum", "x_taints", "x_version"]),
    "grace of another state": ({"state": "cordoned", "grace_period": 3}, ["x_grace_period"]),
}


@pytest.mark.parametrize("more, paths", BAD.values(), ids=BAD)
def test_options_that_are_wrong_by_themselves_are_refused(more, paths):
    assert [problem.path for problem in decide.option_problems(dict(OPTIONS, **more))] == paths
