# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated device plugin and GFD against what the real ones said to the same files (recorded on mock NVML)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator import components, labels
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator.hardware import Hardware

UPSTREAM = Path(os.environ.get("GPUOPS_UPSTREAM_DIR", Path(__file__).resolve().parents[3] / "shared" / "upstream"))
GOLDEN = UPSTREAM / "golden" / "device_plugin_config_cases.json"
# The mock's H100: its memory is a round 80 GiB, a real one has less.
HARDWARE = Hardware("NVIDIA H100 80GB HBM3", 8, 81920, "9.0", "hopper", True, "550.163.01", "12.4")


def cases():
    """Return the recorded cases as parameters; where the upstream data is not there, one that is skipped."""
    if not GOLDEN.exists():
        return [pytest.param(None, id="all", marks=pytest.mark.skip("no upstream data at %s; set GPUOPS_UPSTREAM_DIR" % GOLDEN))]
    return [pytest.param(case, id=case["case"]) for case in json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]]


def run(start):
    """Return (what started or None, its last words)."""
    try:
        return start(), ""
    except components.Exit as error:
        return None, str(error)


@pytest.mark.parametrize("case", cases())
def test_device_plugin(case):
    real = case["device_plugin"]
    plugin, words = run(lambda: components.start_plugin(case["config"], HARDWARE, {}, case["extra_args"]))
    assert (plugin is not None) == real["accepted"], words
    if plugin is None:
        # The recording cuts long lines.
        assert any(words.startswith(message) for message in real["messages"]), words
        return
    # Under MPS nothing was served in the recording: there was no MPS daemon to wait for.
    served = [] if plugin.needs_mps else sorted(plugin.resources)
    assert served == sorted(real["serves"])
    assert list(plugin.warnings) == real["warnings"]


@pytest.mark.parametrize("case", cases())
def test_feature_discovery(case):
    real = case["gfd"]
    found, words = run(lambda: labels.start_gfd(case["config"], HARDWARE, now=0))
    assert (found is not None) == (real["rc"] == 0), words
    if found is None:
        assert any(words.startswith(message) for message in real["messages"]), words
        return
    assert {name: found.get(name) for name in real["labels"]} == real["labels"]


@pytest.mark.parametrize("name", ["mig-node-labels.json", "mig-mixed-node-labels.json"])
def test_label_names_of_a_real_node(name):
    """Every GFD label that NVIDIA's example nodes carry is there; these came with later releases of GFD, or with MIG."""
    path = UPSTREAM / "cloud-native-docs" / "output" / name
    if not path.exists():
        pytest.skip("the upstream data is not here (%s); set GPUOPS_UPSTREAM_DIR" % path)
    real = json.loads(path.read_text(encoding="utf-8"))
    prefixes = ("nvidia.com/cuda.", "nvidia.com/gpu.", "nvidia.com/gfd.", "nvidia.com/mps.", "nvidia.com/mig.")
    operator = ("nvidia.com/gpu.deploy.", "nvidia.com/gpu.present", "nvidia.com/mig.config")
    wanted = {each for each in real if each.startswith(prefixes) and not each.startswith(operator)}
    strategy = "flags: {migStrategy: %s}" % real["nvidia.com/mig.strategy"]
    h100 = Hardware("NVIDIA H100 80GB HBM3", 1, 81559, "9.0", "hopper", True, "550.54.15", "12.4", machine="PIO-4124GS-TNR-01-NC24B")
    found = labels.start_gfd(strategy, h100, now=1715703041)
    assert set(found) - wanted == {"nvidia.com/gpu.mode", "nvidia.com/vgpu.present"}
    # The second node has MIG on: its full GPU is shared with nobody and replicated 0 times.
    differing = {each for each in wanted if found[each] != real[each]}
    assert differing <= {"nvidia.com/gfd.timestamp", "nvidia.com/gpu.replicas"}
