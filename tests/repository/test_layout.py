# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie, how large they are, and what must not be in them."""

from __future__ import annotations

import re
import sys
import warnings

import pytest
import yaml

from tests.repository import project

PYTHON = project.files("*.py")
SCHOLARLY = [path for path in PYTHON if project.text(path).strip()]

ROOMS = {"catalog", "observe", "decide", "apply", "cluster", "common"}
PLUGIN_KINDS = {"action", "doc_fragments", "filter", "inventory", "module_utils", "modules", "plugin_utils"}

# What pure code may import: nothing that reads, writes, waits or asks for the time.
PURE = {"__future__", "bisect", "collections", "copy", "dataclasses", "datetime", "difflib", "enum", "fractions", "functools", "hashlib", "heapq",
        "itertools", "json", "math", "operator", "posixpath", "re", "string", "textwrap", "typing", "unicodedata", "yaml"}
OURS = f"ansible_collections.{project.COLLECTION}.plugins"
PURE_OURS = (f"{OURS}.module_utils.decide", f"{OURS}.module_utils.catalog", f"{OURS}.module_utils.common.errors")

# What a reader elsewhere could not use: paths of one machine, hosts of package registries, remarks about how the text came to be.
FORBIDDEN = {
    "a path of one machine": r"(?<![\w.~}])/(?:work|root|tmp/(?:venv|coll|tb|frame))/",
    "the host of a package registry": r"\b(?:pypi|proxy\.golang|sum\.golang|deb\.debian|security\.debian|files\.pythonhosted)\.org\b"
                                      r"|\b(?:index|static)\.crates\.io\b|\bregistry-1\.docker\.io\b",
    "a remark about how it was written": r"(?i)\b(?:this|my|another|an earlier|the previous) session\b|\bsub-?agents?\b|\bas an? (?:ai|assistant)\b",
    "work left over": r"\b(?:TODO|FIXME|XXX)\b",
}
TEXTS = [path for path in project.files("*") if path.suffix not in (".png", ".gz", ".sum") and path.name not in ("LICENSE", "test_layout.py")]


@pytest.mark.parametrize("path", PYTHON, ids=project.names(PYTHON))
def test_python_file_is_not_too_long(path):
    limit = 400 if path.parts[0] == "plugins" else 500
    lines = len(project.text(path).splitlines())
    assert lines <= limit, f"{path} has {lines} lines, and at most {limit} are allowed: split it"
    if path.as_posix().startswith("plugins/modules/") and lines > 350:
        warnings.warn(f"{path} has {lines} lines: a module should stay below 350, documentation included", stacklevel=1)


@pytest.mark.parametrize("path", SCHOLARLY, ids=project.names(SCHOLARLY))
def test_python_file_starts_with_the_licence(path):
    lines = [line for line in project.text(path).splitlines() if not line.startswith("#!")]
    assert lines[:3] == [
        "# Copyright (c) 2026, gpuops contributors",
        "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
        "# SPDX-License-Identifier: GPL-3.0-or-later",
    ]
    if path.parts[:2] != ("plugins", "doc_fragments"):  # which hold text only
        assert "from __future__ import annotations" in lines


def test_licence_is_the_full_text():
    text = project.text(project.Path("LICENSE"))
    assert "GNU GENERAL PUBLIC LICENSE" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_init_files_are_empty_and_only_inside_of_packages():
    found = [path for path in PYTHON if path.name == "__init__.py"]
    assert [path for path in found if project.text(path)] == []
    assert {"__init__.py", "plugins/__init__.py", "roles/__init__.py"}.isdisjoint(project.names(found))


def test_plugins_are_of_known_kinds_and_module_utils_has_only_its_rooms():
    assert {path.parts[1] for path in project.below("plugins", "")} <= PLUGIN_KINDS
    assert {path.parts[2] for path in project.below("plugins/module_utils", ".py") if len(path.parts) > 3} <= ROOMS
    assert [path for path in project.below("plugins/module_utils", ".py") if len(path.parts) == 3 and path.name != "__init__.py"] == []


UTILS = [path for path in project.below("plugins/module_utils", ".py") if path.name != "__init__.py"]


@pytest.mark.parametrize("path", UTILS, ids=project.names(UTILS))
def test_module_utils_say_that_they_are_private(path):
    assert "# Private to the collection: may change in any release." in project.text(path).splitlines()[:8]


DECISIONS = [path for path in UTILS if path.parts[2] in ("decide", "catalog")]


@pytest.mark.parametrize("path", DECISIONS, ids=project.names(DECISIONS))
def test_decisions_import_nothing_that_reads_or_writes(path):
    impure = [name for name in project.imported_names(path) if name.split(".")[0] not in PURE and not name.startswith(PURE_OURS)]
    assert impure == []
    assert not re.search(r"\b(?:now|utcnow|today)\(", project.text(path)), "a decision is given the time"


SIMULATOR = project.below("plugins/plugin_utils/testbed/simulator", ".py")


@pytest.mark.parametrize("path", SIMULATOR, ids=project.names(SIMULATOR))
def test_simulator_shares_no_rule_with_what_it_checks(path):
    assert [name for name in project.imported_names(path) if "module_utils" in name] == []


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what):
    found = [f"{path}:{number}: {line.strip()[:120]}" for path in TEXTS for number, line in enumerate(project.text(path).splitlines(), 1)
             if re.search(FORBIDDEN[what], line)]
    assert found == []


@pytest.mark.parametrize(("what", "text", "forbidden"), [
    ("a path of one machine", "see /work/x", True),
    ("a path of one machine", "see ~/work/x and {{ base }}/work/x", False),
    ("the host of a package registry", "https://pypi.org/simple", True),
    ("the host of a package registry", "https://example.org/simple", False),
    ("a remark about how it was written", "left by an earlier session", True),
    ("a remark about how it was written", "a TLS session of the agent", False),
])
def test_what_is_forbidden_is_found(what, text, forbidden):
    assert bool(re.search(FORBIDDEN[what], text)) is forbidden


def test_there_is_no_list_of_sanity_errors_to_ignore():
    assert project.names(project.below("tests/sanity", ".txt")) == []


def test_requirements_are_exact():
    lines = [line for name in ("requirements-dev.txt", "requirements-newest.txt") for line in project.text(project.Path(name)).splitlines()]
    assert [line for line in lines if line and not line.startswith("#") and not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line)] == []


def test_one_version_everywhere():
    galaxy = yaml.safe_load(project.text(project.Path("galaxy.yml")))
    changelog = yaml.safe_load(project.text(project.Path("changelogs/changelog.yaml")))
    assert galaxy["version"] in changelog["releases"]
    assert f'<a id="v{galaxy["version"].replace(".", "-")}"></a>' in project.text(project.Path("CHANGELOG.md"))


def test_changelog_names_every_module_and_filter():
    releases = yaml.safe_load(project.text(project.Path("changelogs/changelog.yaml")))["releases"].values()
    told = {module["name"] for release in releases for module in release.get("modules", [])}
    told |= {plugin["name"] for release in releases for plugin in release.get("plugins", {}).get("filter", [])}
    there = {path.stem for path in project.modules()} | {path.stem for path in project.below("plugins/filter", ".yml")}
    assert told == there, "make render writes it"


def test_interpreter_of_these_tests_is_one_that_the_collection_is_made_for():
    assert sys.version_info >= (3, 11)
