# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpuops.kubernetes.plugins.filter import role_variable_problems as plugin


@pytest.fixture(name="warnings")
def catch_warnings(monkeypatch):
    caught = []
    monkeypatch.setattr(plugin.display, "warning", caught.append)
    return caught


@pytest.fixture(autouse=True)
def two_roles(monkeypatch):
    known = {"gpu_sharing": frozenset({"gpu_sharing_configs"}), "gpu_report": frozenset({"gpu_report_path"})}
    monkeypatch.setattr(plugin, "our_variables", lambda: known)


def test_misspelling_is_a_problem_that_names_the_variable_meant(warnings):
    (problem,) = plugin.role_variable_problems(["gpu_sharing_confgs", "gpu_sharing_configs"], "gpu_sharing")
    assert problem.startswith("gpu_sharing_confgs: ")
    assert "fix: write gpu_sharing_configs" in problem
    assert warnings == []


def test_other_unknown_name_is_a_warning_only(warnings):
    assert plugin.role_variable_problems(["gpu_sharing_my_own"], "gpu_sharing") == []
    assert len(warnings) == 1
    assert warnings[0].startswith("gpu_sharing_my_own: ")


@pytest.mark.parametrize(("names", "role", "message"), [
    ("gpu_sharing_configs", "gpu_sharing", "a list of variable names is needed"),
    (None, "gpu_sharing", "a list of variable names is needed"),
    ([], "gpu_charing", "has no role gpu_charing; it has gpu_report, gpu_sharing"),
])
def test_wrong_use_is_an_error(names, role, message):
    with pytest.raises(AnsibleFilterError, match=message):
        plugin.role_variable_problems(names, role)


def test_filter_is_offered_by_its_name():
    assert plugin.FilterModule().filters() == {"role_variable_problems": plugin.role_variable_problems}
