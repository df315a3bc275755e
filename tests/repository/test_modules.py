# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules and filters: documentation, examples, action groups, what they import."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from tests.repository import project

MODULES = project.modules()
FILTERS = project.below("plugins/filter", ".yml")
RUNTIME = yaml.safe_load(project.text(project.Path("meta/runtime.yml")))
GROUPS = RUNTIME["action_groups"]
# Keywords that stand beside the module's name in a task.
KEYWORDS = {"name", "register", "vars", "loop", "loop_control", "when", "delegate_to", "run_once", "until", "retries", "delay", "no_log", "check_mode", "diff",
            "changed_when", "failed_when", "environment", "become", "tags", "notify", "module_defaults", "block", "rescue", "always"}

# What a host module may load beyond the standard library and what AnsibleModule itself loads: it runs on a hundred hosts, thirty times each.
HOST_ALLOWED = {"ansible_collections"}


def members(fragment):
    """Return the modules whose options come from a documentation fragment."""
    return sorted(path.stem for path in MODULES if fragment in (project.documentation(path).get("extends_documentation_fragment") or []))


@pytest.mark.parametrize("group", ["cluster", "host"])
def test_action_group_is_exactly_the_modules_with_its_options(group):
    assert sorted(GROUPS[group]) == members(f"{project.COLLECTION}.{group}")


def test_there_are_no_other_groups_and_no_module_is_in_two():
    assert set(GROUPS) == {"cluster", "host"}
    assert set(GROUPS["cluster"]).isdisjoint(GROUPS["host"])


def test_module_in_no_group_has_none_of_the_options_that_a_group_hands_out():
    outside = [path for path in MODULES if path.stem not in GROUPS["cluster"] + GROUPS["host"]]
    assert [path.stem for path in outside if {"kubeconfig", "context"} & set(project.documentation(path).get("options") or {})] == []


def test_runtime_needs_the_core_that_the_checks_run_with():
    assert RUNTIME["requires_ansible"] == ">=2.19.0"


@pytest.mark.parametrize("path", MODULES, ids=project.names(MODULES))
def test_module_documents_itself_and_says_what_check_mode_does(path):
    documentation = project.documentation(path)
    assert documentation["module"] == path.stem
    assert project.string_of(path, "RETURN")
    fragments = documentation.get("extends_documentation_fragment") or []
    assert "attributes" in documentation or any(".attributes" in fragment for fragment in fragments)


def example_tasks(text):
    """Return the tasks of an EXAMPLES block, which may be plays or tasks."""
    return list(project.tasks_of(yaml.safe_load(text)))


EXAMPLES = {path.as_posix(): project.string_of(path, "EXAMPLES") for path in MODULES}
EXAMPLES.update({path.as_posix(): yaml.safe_load(project.text(path)).get("EXAMPLES", "") for path in FILTERS})


@pytest.mark.parametrize("path", EXAMPLES)
def test_examples_parse_and_name_everything_in_full(path):
    tasks = example_tasks(EXAMPLES[path])
    assert tasks, f"{path} has no example"
    for task in tasks:
        actions = [key for key in task if key not in KEYWORDS and not key.startswith("with_")]
        assert all(key.count(".") >= 2 for key in actions), f"{path}: not a full name among {actions}"
        assert len(actions) == 1 or set(task) & set(project.BLOCKS), f"{path}: {task.get('name')} has {len(actions)} actions"
    assert f"{project.COLLECTION}.{project.Path(path).stem}" in EXAMPLES[path], f"{path}: the examples do not use what they are examples of"


def test_every_filter_has_a_documentation_and_the_other_way_round():
    code = "\n".join(project.text(path) for path in project.below("plugins/filter", ".py"))
    assert FILTERS
    assert [path.stem for path in FILTERS if f'"{path.stem}": ' not in code] == []


def loaded_by(statement):
    """Return the top-level packages that a statement loads, seen from outside by a fresh interpreter."""
    code = f"import sys; before = set(sys.modules); {statement}; print(' '.join(sorted({{name.split('.')[0] for name in set(sys.modules) - before}})))"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def foreign(packages):
    """Return the packages that neither Python, nor AnsibleModule, nor the allow-list has."""
    return sorted(packages - HOST_ALLOWED - set(sys.stdlib_module_names) - loaded_by("import ansible.module_utils.basic"))


def test_import_budget_finds_what_a_module_loads():
    assert foreign(loaded_by("import json, xml.dom")) == []
    assert foreign(loaded_by("import jmespath, ansible.module_utils.basic")) == ["jmespath"]


def test_host_modules_load_only_the_standard_library():
    if not GROUPS["host"]:
        pytest.skip("the action group host has no module yet, so that there is nothing to measure")
    for name in GROUPS["host"]:
        assert foreign(loaded_by(f"import ansible_collections.{project.COLLECTION}.plugins.modules.{name}")) == [], name
