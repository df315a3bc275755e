# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's own tests, and what it shares with the testbed."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import stages

from tests.hosts import standin_build

GO = sorted(standin_build.SOURCE.rglob("*.go"))
LICENCE = ["// Copyright (c) 2026, gpuops contributors",
           "// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
           "// SPDX-License-Identifier: GPL-3.0-or-later"]


def _go(*arguments):
    done = subprocess.run([standin_build.go(), *arguments], cwd=standin_build.SOURCE, env=standin_build.environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def test_go_vet_finds_nothing():
    assert _go("vet", "./...") == (0, "")


def test_go_tests_pass():
    code, output = _go("test", "./...")
    assert code == 0, output
    assert re.findall(r"^FAIL|no tests to run", output, re.MULTILINE) == []


@pytest.mark.parametrize("path", GO, ids=[path.relative_to(standin_build.SOURCE).as_posix() for path in GO])
def test_go_file_is_short_and_has_the_licence(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[:3] == LICENCE
    assert len(lines) < 400


def test_go_files_are_formatted():
    done = subprocess.run([standin_build.go() + "fmt", "-l", *map(str, GO)], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == ""


def test_pods_are_played_as_in_the_testbed():
    def of_pods(documents):
        return {each["metadata"]["name"]: each for each in documents if each.get("spec", {}).get("resourceRef", {}).get("kind") == "Pod"}

    ours = of_pods(yaml.safe_load_all((standin_build.SOURCE / "internal" / "agent" / "kwok.yaml.in").read_text(encoding="utf-8")))
    assert ours == of_pods(yaml.safe_load_all(stages.kwok_configuration()))
    assert set(ours) == {"pod-runs", "pod-ends", "pod-goes"}


@pytest.mark.parametrize("path", sorted((standin_build.SOURCE / "internal" / "server").rglob("*.yaml.in")), ids=lambda path: path.name)
def test_manifest_is_valid_once_it_is_filled_in(path):
    text = re.sub(r"%\{[A-Z_]+\}%", "x", path.read_text(encoding="utf-8"))
    for document in yaml.safe_load_all(text):
        assert {"apiVersion", "kind", "metadata"} <= set(document)


def test_one_module_is_all_that_is_needed():
    text = (standin_build.SOURCE / "go.mod").read_text(encoding="utf-8")
    assert re.findall(r"^require (.*)$", text, re.MULTILINE) == ["gopkg.in/yaml.v2 v2.4.0"]
