# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and playbooks: one source of variables, four entry points, tasks that hide nothing."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.repository import project
from tools import render

ROLES = project.roles()
TASK_FILES = project.task_files()
FORBIDDEN_ACTIONS = {"ansible.builtin.pause", "pause", "ansible.builtin.raw", "ansible.builtin.shell"}

# add_host and group_by only change the inventory in memory.
READING_ACTIONS = re.compile(r"(?:_info|_facts|\.(?:add_host|group_by|slurp|stat|find|setup|assert|debug|set_fact|include_vars|wait_for|"
                             r"ping|uri|package_facts|service_facts))$")
READING_WORDS = {"describe", "env", "get", "history", "list", "logs", "lint", "query", "search", "show", "status", "template", "version",
                 "--version", "--short", "test"}
WRITING_WORDS = {"add", "annotate", "apply", "cordon", "create", "delete", "drain", "edit", "enable", "install", "label", "patch", "remove", "replace",
                 "restart", "rollback", "scale", "set", "taint", "uncordon", "uninstall", "update", "upgrade", "write"}


def action_of(task):
    """Return the name and the arguments of a task's action; of a block, nothing."""
    for key, value in task.items():
        if key.count(".") >= 2:
            return key, value
    return "", None


def reads_only(task):
    """Return whether a task can change nothing, so that it may say so: by its action, by check mode, or by the words of its command."""
    name, arguments = action_of(task)
    if task.get("check_mode") is True or READING_ACTIONS.search(name):
        return True
    words = set(re.findall(r"[A-Za-z-]+", str(arguments)))
    return name == "ansible.builtin.command" and bool(words & READING_WORDS) and not words & WRITING_WORDS


def conditions(value):
    """Return conditions, which may be one or a list, as texts."""
    return [str(one).strip().lower() for one in (value if isinstance(value, list) else [value])]


def specification(role):
    """Return a role's argument_specs."""
    return yaml.safe_load(project.text(project.Path("roles") / role / "meta" / "argument_specs.yml"))["argument_specs"]


def test_there_are_roles_and_playbooks():
    assert ROLES
    assert project.below("playbooks", ".yml")


@pytest.mark.parametrize("role", ROLES)
def test_role_has_its_four_entry_points_each_with_a_specification(role):
    entries = specification(role)
    for entry in project.ENTRY_POINTS:
        assert (project.ROOT / "roles" / role / "tasks" / f"{entry}.yml").is_file(), f"tasks/{entry}.yml is missing"
        assert entries.get(entry, {}).get("short_description"), f"meta/argument_specs.yml: {entry} is missing or says nothing"


@pytest.mark.parametrize("role", ROLES)
def test_variables_of_a_role_start_with_its_name(role):
    options = {name for entry in specification(role).values() for name in entry.get("options") or {}}
    assert [name for name in options if not name.startswith(role + "_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_readme_say_what_the_specification_says(role):
    assert render.check(project.ROOT / "roles" / role) == []


@pytest.mark.parametrize("role", ROLES)
def test_preflight_starts_by_refusing_misspelt_variables(role):
    first = yaml.safe_load(project.text(project.Path("roles") / role / "tasks" / "preflight.yml"))[0]
    assert action_of(first)[0] == "ansible.builtin.assert"
    # A variable in which the role itself leaves its result may be left out of the query.
    asked = yaml.safe_dump(first, width=10**6).replace("''", "'")
    assert re.search(rf"query\('varnames', '\^{role}_(\(\?![a-z_|]+\$\))?'\) \| gpuops\.kubernetes\.role_variable_problems\('{role}'\)", asked)


@pytest.mark.parametrize("role", ROLES)
def test_role_depends_on_no_other_role_behind_the_users_back(role):
    meta = yaml.safe_load(project.text(project.Path("roles") / role / "meta" / "main.yml"))
    assert meta["dependencies"] == []
    assert meta["galaxy_info"]["license"] == "GPL-3.0-or-later"


@pytest.mark.parametrize("path", TASK_FILES, ids=project.names(TASK_FILES))
def test_tasks_hide_nothing(path):
    for task in project.tasks_of(yaml.safe_load(project.text(path))):
        name, arguments = action_of(task)
        label = task.get("name") or name
        assert "ignore_errors" not in task, f"{label}: ignore_errors hides what went wrong"
        assert "ignore_unreachable" not in task, f"{label}: ignore_unreachable hides what went wrong"
        assert name not in FORBIDDEN_ACTIONS and not FORBIDDEN_ACTIONS & set(task), f"{label}: {name} is not used here"
        if task.get("changed_when") is False:
            assert reads_only(task), f"{label}: changed_when is false, but nothing shows that the task only reads"
        if name == "ansible.builtin.assert":
            told = conditions(arguments.get("that"))
            assert told and not {"true", "yes", "1", "none", ""} & set(told), f"{label}: asserts nothing"


@pytest.mark.parametrize(("task", "reads"), [
    ({"ansible.builtin.command": {"argv": "{{ [helm, 'get', 'values', release] + cluster }}"}}, True),
    ({"ansible.builtin.command": "helm upgrade x"}, False),
    ({"ansible.builtin.command": {"argv": ["kubectl", "get", "nodes"]}}, True),
    ({"ansible.builtin.command": {"argv": ["kubectl", "delete", "node", "x"]}}, False),
    ({"kubernetes.core.k8s": {}, "check_mode": True}, True),
    ({"kubernetes.core.k8s": {}}, False),
    ({"kubernetes.core.k8s_info": {}}, True),
])
def test_reading_is_told_from_writing(task, reads):
    assert reads_only(task) is reads


def test_site_runs_every_preflight_before_anything_else():
    plays = yaml.safe_load(project.text(project.Path("playbooks/site.yml")))
    first = str(plays[0])
    assert "preflight" in first, "the first play of playbooks/site.yml is not the preflights"
    assert "import_playbook" in str(yaml.safe_load(project.text(project.Path("site.yml")))[0])
