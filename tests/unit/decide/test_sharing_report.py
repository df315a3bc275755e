# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a sharing run says that it did."""

from __future__ import annotations

from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import sharing, sharing_report

FIRST = {"changed": True, "actions": ["write ConfigMap a/b (keys: default)", "label 2 nodes (a, b)"], "diff": [{"before": "1"}], "nodes": [1], "warnings": []}


def test_a_run_that_planned_twice_tells_of_both_plans():
    second = {"changed": True, "actions": ["label 1 node (b)"], "diff": [{"before": "2"}], "nodes": [2], "warnings": []}
    told = sharing_report.both(FIRST, second)
    assert told["actions"] == FIRST["actions"] + second["actions"] and told["diff"] == FIRST["diff"] + second["diff"] and told["nodes"] == [2]


def test_what_the_first_plan_changed_is_a_change_although_nothing_was_left_for_the_second():
    told = sharing_report.both(FIRST, {"changed": False, "actions": [], "diff": [], "nodes": [2], "warnings": []})
    assert (told["changed"], told["actions"], told["diff"]) == (True, FIRST["actions"], FIRST["diff"])


def test_one_plan_is_told_as_it_is():
    assert sharing_report.both(None, FIRST) is FIRST


def removed(data, owned):
    there = {"data": data, "owned": owned, "pending": [], "labelled": True}
    current = sharing.Current(True, there, [], {})
    return sharing_report.absent_result(current, sharing.make_removal(current), "gpu", "cm")


def test_removing_says_what_of_the_config_map_goes():
    assert removed({"default": "x"}, ["default"])["actions"] == ["delete ConfigMap gpu/cm"]
    kept = removed({"default": "x", "theirs": "y"}, ["default"])
    assert kept["actions"] == ["take our keys out of ConfigMap gpu/cm, which keeps theirs"]
    assert [(each["before"], each["after"]) for each in kept["diff"]] == [("default: |\n  x\ntheirs: |\n  y\n", "theirs: |\n  y\n")]
    assert removed({"theirs": "y"}, []) == {"changed": False, "actions": [], "diff": []}
