# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter judges variables as the module would judge its options."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.filter.sharing import sharing_problems

CASES = [
    ("a number as text", 4, "4", []),
    ("a number too small, as text", 1, "1", ["gpu_sharing_configs[0].resources[0].replicas: 1:"]),
    ("no number", None, "four", ["gpu_sharing_configs, gpu_sharing_node_configs: ", "'four'", "resources"]),
]


@pytest.mark.parametrize("replicas, words", [row[2:] for row in CASES], ids=[row[0] for row in CASES])
def test_replicas_are_read_as_the_module_reads_them(replicas, words):
    configs = [{"name": "x", "strategy": "time_slicing", "resources": [{"name": "gpu", "replicas": replicas}]}]
    found = sharing_problems(configs, "x", prefix="gpu_sharing_")
    assert bool(found) == bool(words) and all(word in found[0] for word in words), found


def test_an_unknown_key_is_named():
    (text,) = sharing_problems([{"name": "x", "strategy": "none", "replica": 2}])
    assert "replica" in text and "configs" in text


def test_an_empty_default_is_none():
    assert sharing_problems([{"name": "x", "strategy": "none"}], "", []) == []
