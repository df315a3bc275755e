# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every operating system, architecture and kind of node against its reviewed file in tests/golden/k3s."""

from __future__ import annotations

import pytest
import yaml

from tests.unit.decide import kube_golden

DOCUMENTS = kube_golden.documents()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_decided_is_what_was_reviewed(name):
    assert (kube_golden.GOLDEN / name).read_text(encoding="utf-8") == kube_golden.text_of(DOCUMENTS[name])


def test_no_reviewed_file_is_left_over():
    assert sorted(path.name for path in kube_golden.GOLDEN.glob("*.yml")) == sorted(DOCUMENTS)


def test_no_reviewed_node_shows_a_secret_where_a_diff_would():
    for node in DOCUMENTS["nodes.yml"].values():
        assert "hidden" not in node["redacted"] + node["config"] + node["node"]


@pytest.mark.parametrize("name", kube_golden.NODES)
def test_the_texts_of_a_node_mean_its_configuration(name):
    node = DOCUMENTS["nodes.yml"][name]
    meaning = {}
    for part in ("config", "node", "secrets"):
        meaning.update(yaml.safe_load(node[part]) or {})
    assert sorted(meaning) == sorted(yaml.safe_load(node["redacted"]))
    assert node["problems"] == []
