# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenarios and the plan that picks from them: molecule passes a scenario without verify, which proves nothing."""

from __future__ import annotations

import pytest
import yaml

from tests.repository import project
from tools import ci_plan

PLAN = ci_plan.read_plan(project.ROOT / "tests" / "plan.yml")
PLANNED = sorted(entry.name for entry in PLAN.entries if entry.kind == "molecule")
PRESENT = sorted({path.parts[1] for path in project.below("molecule", "molecule.yml") if len(path.parts) == 3})


def test_plan_names_exactly_the_scenarios_that_there_are():
    assert PRESENT == PLANNED


@pytest.mark.parametrize("scenario", PLANNED)
def test_scenario_converges_and_verifies(scenario):
    base = project.Path("molecule") / scenario
    assert list(project.tasks_of(converged(base))) or "import_playbook" in str(converged(base)) or "roles" in str(converged(base)), "converge.yml does nothing"
    verify = project.ROOT / base / "verify.yml"
    tests = [path for path in project.below(base.as_posix(), ".py") if path.name.startswith("test_")]
    assert verify.is_file() or tests, "neither verify.yml nor tests"
    if verify.is_file():
        assert "assert" in verify.read_text(encoding="utf-8") or "import" in verify.read_text(encoding="utf-8"), "verify.yml asserts nothing"


def converged(base):
    """Return a scenario's converge playbook."""
    return yaml.safe_load(project.text(base / "converge.yml"))


@pytest.mark.parametrize("scenario", PLANNED)
def test_scenario_does_not_drop_verify_or_the_clean_up_from_its_sequence(scenario):
    settings = yaml.safe_load(project.text(project.Path("molecule") / scenario / "molecule.yml")) or {}
    sequence = (settings.get("scenario") or {}).get("test_sequence")
    if sequence is not None:
        assert {"converge", "verify", "destroy"} <= set(sequence)


@pytest.mark.parametrize("entry", PLAN.entries, ids=[entry.name for entry in PLAN.entries])
def test_entry_of_the_plan_covers_something_that_exists(entry):
    paths = project.names(project.files("*"))
    assert entry.cost_seconds > 0
    assert [pattern for pattern in entry.covers if not ci_plan.first_match([pattern], paths)] == []
    if entry.kind == "pytest":
        assert [path for path in files_of(entry) if path.name.startswith("test_")], f"{entry.path} has no tests"


def files_of(entry):
    """Return the files of a suite, which is a directory or one file."""
    return project.below(entry.path, ".py") + [path for path in project.files("*.py") if path.as_posix() == entry.path]


def test_every_file_of_a_planned_directory_is_in_the_plan():
    suites = [entry for entry in PLAN.entries if entry.kind == "pytest"]
    planned = {path for entry in suites for path in files_of(entry)}
    directories = {"/".join(entry.path.split("/")[:2]) for entry in suites}
    assert [path for directory in directories for path in project.below(directory, ".py") if path.name.startswith("test_") and path not in planned] == []


def test_what_touches_everything_exists():
    paths = project.names(project.files("*"))
    assert [pattern for pattern in PLAN.everything if not ci_plan.first_match([pattern], paths)] == []


@pytest.mark.parametrize("layer", ["unit", "contract", "integration", "repository"])
def test_layer_has_tests(layer):
    assert [path for path in project.below(f"tests/{layer}", ".py") if path.name.startswith("test_")]
