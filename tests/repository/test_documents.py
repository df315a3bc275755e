# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents against what they describe, and the archive that users install."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile

import pytest
import yaml
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import nodes

from tests.repository import project
from tools import render

DOCUMENTS = [path for path in project.files("*.md") if path.parts[0] in ("README.md", "docs")]
PROOF = project.text(project.Path("docs/proof.md"))
SHIPPED = {"CHANGELOG.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "changelogs", "docs", "inventories", "meta", "playbooks", "plugins",
           "roles", "site.yml"}


def test_readme_lists_every_playbook_role_module_and_filter():
    assert render.check_contents() == []


def test_proof_is_a_table_with_a_verdict_in_every_row():
    assert "| What | Proved by real software | Proved by a double | Not proved here |" in PROOF
    rows = [line.strip().strip("|").split("|") for line in PROOF.splitlines() if line.startswith("| ") and not line.startswith(("| What", "| ---"))]
    assert len(rows) >= 10
    assert [row for row in rows if len(row) != 4 or not any(cell.strip() for cell in row[1:])] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=project.names(DOCUMENTS))
def test_documents_name_only_make_targets_that_there_are(path):
    targets = set(re.findall(r"^\.PHONY: (.*)$", project.text(project.Path("Makefile")), re.MULTILINE))
    known = {target for line in targets for target in line.split()}
    assert sorted(set(re.findall(r"`make ([a-z0-9-]+)", project.text(path))) - known) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=project.names(DOCUMENTS))
def test_links_between_documents_lead_somewhere(path):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", project.text(path))
    assert [link for link in links if not (project.ROOT / path.parent / link).exists()] == []


def test_rehearsal_document_explains_every_key_and_fault_of_a_simulated_node():
    explained = {word for line in project.text(project.Path("docs/rehearsal.md")).splitlines() if line.startswith("| `")
                 for word in re.findall(r"`([a-z_-]+)`", line.split("|")[1])}
    assert set(nodes.KEYS) | set(nodes.FAULTS) <= explained


@pytest.fixture(name="archive", scope="module")
def built_archive():
    done = subprocess.run([sys.executable, "tools/build.py"], cwd=project.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    version = yaml.safe_load(project.text(project.Path("galaxy.yml")))["version"]
    with tarfile.open(project.ROOT / ".build" / "dist" / f"gpuops-kubernetes-{version}.tar.gz") as archive:
        return [member.name for member in archive.getmembers()]


def test_archive_holds_what_users_need_and_nothing_else(archive):
    assert {name.split("/")[0] for name in archive} <= SHIPPED
    assert {"README.md", "LICENSE", "meta/runtime.yml", "playbooks/rehearse.yml", "playbooks/site.yml"} <= set(archive)
    assert [name for name in archive if "__pycache__" in name or name.endswith(".pyc")] == []


def test_archive_holds_every_plugin_and_role(archive):
    wanted = project.names(path for path in project.below("plugins", "") + project.below("roles", ""))
    assert sorted(set(wanted) - set(archive)) == []
