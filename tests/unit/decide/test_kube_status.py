# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the Node object of a host says: ready in a version, and cordoned by whom."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_status
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.maintenance import CORDONED

VERSION = "v1.35.6+k3s1"


def node(ready="True", version=VERSION, annotations=None):
    conditions = [{"type": "MemoryPressure", "status": "False"}] + ([{"type": "Ready", "status": ready}] if ready else [])
    return {"metadata": {"name": "gpu-1", "annotations": annotations}, "status": {"conditions": conditions, "nodeInfo": {"kubeletVersion": version}}}


@pytest.mark.parametrize(("found", "expected"), [
    (None, False),
    ({}, False),
    (node(), True),
    (node(ready="False"), False),
    (node(ready="Unknown"), False),
    (node(ready=""), False),
    (node(version="v1.35.5+k3s1"), False),
])
def test_a_node_is_ready_in_one_version(found, expected):
    assert kube_status.is_ready(found, VERSION) is expected


@pytest.mark.parametrize(("found", "expected"), [
    (None, {}),
    (node(), {"labels": {}, "taints": [], "annotations": {}}),
    (dict(node(annotations={CORDONED: "maintenance", "k3s.io/hostname": "gpu-1"}), spec={"taints": [{"key": "gpu", "effect": "NoSchedule"}]}),
     {"labels": {}, "taints": [{"key": "gpu", "effect": "NoSchedule"}], "annotations": {CORDONED: "maintenance"}}),
])
def test_a_node_carries_labels_taints_and_our_notes(found, expected):
    assert kube_status.carried(found) == expected


@pytest.mark.parametrize(("found", "expected"), [
    (None, False),
    (node(), False),
    (node(annotations={"other": "k3s restarts: "}), False),
    (node(annotations={CORDONED: "maintenance"}), False),
    (node(annotations={CORDONED: "rke2 restarts: v1.35.5+rke2r1 becomes v1.35.6+rke2r1"}), False),
    (node(annotations={CORDONED: kube_status.drain_reason("k3s", ["/etc/rancher/k3s/config.yaml changes"])}), True),
    (node(annotations={CORDONED: kube_status.drain_reason("k3s", [])}), True),
])
def test_a_drain_before_a_restart_is_told_from_other_cordons(found, expected):
    assert kube_status.is_drained(found, "k3s") is expected
