# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, strategies

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils import role_variables

VARIABLES = {
    "gpu": frozenset({"gpu_stack", "gpu_state"}),
    "gpu_sharing": frozenset({"gpu_sharing_configs", "gpu_sharing_default"}),
}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        pytest.param("gpu_sharing_confgs", "gpu_sharing_configs", id="a letter is missing"),
        pytest.param("gpu_sharing_config", "gpu_sharing_configs", id="the singular"),
        pytest.param("gpu_sharing_confgis", "gpu_sharing_configs", id="two letters are swapped"),
        pytest.param("gpu_sharing_defualts", "", id="three letters differ"),
        pytest.param("gpu_sharing_other", "", id="a name of the user's own"),
    ],
)
def test_unknown_name_is_found_with_the_variable_that_is_near(name, meant):
    assert role_variables.findings([name], "gpu_sharing", VARIABLES) == [role_variables.Finding(name, meant)]


@pytest.mark.parametrize(
    ("names", "role"),
    [
        pytest.param(["gpu_sharing_configs", "gpu_sharing_default"], "gpu_sharing", id="the role's own variables"),
        pytest.param(["gpu_sharing_configs", "gpu_sharing_confgs"], "gpu", id="names of the role with the longer prefix"),
        pytest.param(["cluster_name"], "gpu_sharing", id="names without the prefix"),
        pytest.param([], "gpu_sharing", id="nothing"),
    ],
)
def test_other_names_are_left_alone(names, role):
    assert role_variables.findings(names, role, VARIABLES) == []


def test_findings_are_sorted_and_named_once():
    found = role_variables.findings(["gpu_stat", "gpu_stck", "gpu_stat"], "gpu", VARIABLES)
    assert found == [role_variables.Finding("gpu_stat", "gpu_state"), role_variables.Finding("gpu_stck", "gpu_stack")]


def test_variables_are_those_of_all_entry_points():
    specification = {"argument_specs": {"main": {"options": {"x_one": {}}}, "verify": {"options": {"x_two": {}}}, "uninstall": {}, "preflight": None}}
    assert role_variables.variables_of(specification) == {"x_one", "x_two"}


def test_nearest_prefers_the_smaller_distance():
    assert role_variables.nearest("x_part", ["x_ports", "x_port"]) == "x_port"


words = strategies.text("ab_", max_size=6)


@given(words, words)
def test_distance_is_symmetric_and_zero_only_for_the_same(left, right):
    assert role_variables.distance(left, right) == role_variables.distance(right, left)
    assert (role_variables.distance(left, right) == 0) == (left == right)


@given(words, words, words)
def test_distance_is_never_longer_than_a_detour(left, right, between):
    assert role_variables.distance(left, right) <= role_variables.distance(left, between) + role_variables.distance(between, right)


@pytest.mark.parametrize(("letter", "place"), list(itertools.product("ax", range(4))))
def test_one_inserted_letter_is_a_distance_of_one(letter, place):
    assert role_variables.distance("bbb", "bbb"[:place] + letter + "bbb"[place:]) == 1
