# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Label selectors that go on matching the nodes whose labels sharing changes."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import selectors

SELECTORS = {
    "a=b": [("a", "In", ["b"])],
    "a==b": [("a", "In", ["b"])],
    " a = b , c!=d": [("a", "In", ["b"]), ("c", "NotIn", ["d"])],
    "a in (b, c),d notin (e)": [("a", "In", ["b", "c"]), ("d", "NotIn", ["e"])],
    "nvidia.com/gpu.present,!x": [("nvidia.com/gpu.present", "Exists", None), ("x", "DoesNotExist", None)],
    "gpus>2,gpus<9": [("gpus", "Gt", ["2"]), ("gpus", "Lt", ["9"])],
    "a=": [("a", "In", [""])],
    "": [],
}


@pytest.mark.parametrize("selector, expected", SELECTORS.items())
def test_a_label_selector_is_read_as_requirements(selector, expected):
    found = [(each["key"], each["operator"], each.get("values")) for each in selectors.expressions(selector)]
    assert found == expected


LASTING = [
    ("pool=training", "pool=training"),
    ("nvidia.com/gpu.product=Tesla-T4", "nvidia.com/gpu.product in (Tesla-T4,Tesla-T4-SHARED)"),
    ("nvidia.com/gpu.product==Tesla-T4-SHARED", "nvidia.com/gpu.product in (Tesla-T4,Tesla-T4-SHARED)"),
    ("pool in (a, b), nvidia.com/gpu.product != X,!old", "pool in (a,b),nvidia.com/gpu.product notin (X,X-SHARED),!old"),
    ("nvidia.com/gpu.product in (A,B)", "nvidia.com/gpu.product in (A,A-SHARED,B,B-SHARED)"),
    ("nvidia.com/gpu.product,nvidia.com/gpu.memory > 16000", "nvidia.com/gpu.product,nvidia.com/gpu.memory > 16000"),
    ("nvidia.com/gpu.product=X,nvidia.com/gpu.memory>16000", "nvidia.com/gpu.product in (X,X-SHARED),nvidia.com/gpu.memory > 16000"),
    ("a=(", "a=("),
    ("", ""),
]


@pytest.mark.parametrize("selector, lasting", LASTING)
def test_a_selector_matches_the_same_nodes_before_and_after_sharing(selector, lasting):
    assert selectors.lasting(selector) == lasting
    assert selectors.lasting(lasting) == lasting


@pytest.mark.parametrize("selector", ["a", "!a", "a=b", "a!=", "a in (b,c),!d", "a notin (b),c > 1,d < 2"])
def test_requirements_survive_being_written_and_read_again(selector):
    requirements = selectors.expressions(selector)
    assert selectors.expressions(selectors.text(requirements)) == requirements


def test_labels_that_follow_the_sharing_are_named():
    selector = "pool=a,nvidia.com/gpu.replicas=1,!nvidia.com/device-plugin.config,nvidia.com/gpu.product=X"
    assert selectors.following(selector) == ["nvidia.com/device-plugin.config", "nvidia.com/gpu.replicas"]
    assert selectors.following("a=(") == []
