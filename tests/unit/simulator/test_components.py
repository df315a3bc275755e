# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the device plugin, the MPS daemon, GFD and NFD do with a config and a node's GPUs."""

from __future__ import annotations

import pytest

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator import components, labels
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator.hardware import Hardware

GPU, SHARED = "nvidia.com/gpu", "nvidia.com/gpu.shared"
H100 = Hardware("NVIDIA-H100-80GB-HBM3", 8, 81559, "9.0", "hopper", True, "580.95.05", "13.0")
V100 = Hardware("Tesla V100-SXM2-16GB", 2, 16384, "7.0", "volta", False, "535.1", "12.2")
MPS = {"MPS_ROOT": "/run/nvidia/mps"}


def sharing(strategy, *replicas, **options):
    """Return a config file that shares nvidia.com/gpu so many times."""
    entries = ", ".join("{name: nvidia.com/gpu, replicas: %d}" % each for each in replicas)
    more = "".join("%s: %s, " % item for item in options.items())
    return "version: v1\nsharing: {%s: {%sresources: [%s]}}\n" % (strategy, more, entries)


@pytest.mark.parametrize(
    "text, resources",
    [
        (None, {GPU: 8}),
        ("", {GPU: 8}),
        (sharing("timeSlicing", 4), {GPU: 32}),
        (sharing("timeSlicing", 4, renameByDefault="true"), {SHARED: 32}),
        # the ids of both entries' replicas are the same: the larger number remains
        (sharing("timeSlicing", 4, 8), {GPU: 64}),
        (sharing("timeSlicing", 8, 4), {GPU: 64}),
        ("sharing: {timeSlicing: {resources: [{name: nvidia.com/mig-1g.10gb, replicas: 4}]}}", {GPU: 8}),
        (sharing("mps", 3), {GPU: 24}),
    ],
)
def test_served_resources(text, resources):
    assert components.start_plugin(text, H100, MPS).resources == resources


@pytest.mark.parametrize(
    "text, environment, arguments, words",
    [
        ("flags: {migStrategy: mix}", {}, [], "unable to validate flags: unknown MIG strategy: mix"),
        ("flags: {migStrategy: none}", {"MIG_STRATEGY": "mix"}, [], "unknown MIG strategy: mix"),
        ("", {"MIG_STRATEGY": "none"}, ["--mig-strategy=mix"], "unknown MIG strategy: mix"),
        ("", {}, ["--mig-strategy", "mix"], "unknown MIG strategy: mix"),
        (sharing("mps", 4), {}, [], "using MPS requires --mps-root to be specified"),
        (sharing("mps", 4) + "flags: {migStrategy: mixed}", MPS, [], "using --mig-strategy=mixed is not supported with MPS"),
        ("flags: {plugin: {deviceListStrategy: 'envvar,volume-mounts'}}", {}, [], "invalid strategy: envvar,volume-mounts"),
        ("", {"DEVICE_LIST_STRATEGY": "envvar,cdi"}, [], "invalid --device-list-strategy option: invalid strategy: cdi"),
        ("", {"DEVICE_ID_STRATEGY": "pci"}, [], "invalid --device-id-strategy option: pci"),
        ("flags: {plugin: {sharedDevicesAllocationPolicy: random}}", {}, [], "invalid --shared-devices-allocation-policy option: random"),
        ("flags: {deviceDiscoveryStrategy: foo}", {}, [], "invalid --device-discovery-strategy option foo"),
        ("imex: {channelIDs: [1]}", {}, [], "channelIDs must be [] or [0]; found [1]"),
    ],
)
def test_refused_flags(text, environment, arguments, words):
    with pytest.raises(components.Exit) as caught:
        components.start_plugin(text, H100, environment, arguments)
    assert words in str(caught.value)


def test_a_list_on_the_command_line_is_split():
    assert components.start_plugin("", H100, {"DEVICE_LIST_STRATEGY": "envvar,volume-mounts"}).resources == {GPU: 8}


def test_a_node_without_a_driver():
    with pytest.raises(components.Exit, match="nvml init failed"):
        components.start_plugin("", None)
    assert components.start_plugin("", None, {"FAIL_ON_INIT_ERROR": "false"}).resources == {}


@pytest.mark.parametrize("hardware, replicas, works", [(H100, 48, True), (H100, 49, False), (V100, 16, True), (V100, 17, False)])
def test_mps_ceiling(hardware, replicas, works):
    """The plugin takes any number; the daemon counts Volta among the GPUs that take 16 clients."""
    text = sharing("mps", replicas)
    plugin = components.start_plugin(text, hardware, MPS)
    assert plugin.needs_mps
    if works:
        assert components.start_mps(text, hardware).resources == {GPU}
    else:
        with pytest.raises(components.Exit, match="maximum allowed replicas exceeded: %d > %d" % (replicas, replicas - 1)):
            components.start_mps(text, hardware)


def test_mps_daemon_without_mps_is_idle():
    assert components.start_mps(sharing("timeSlicing", 4), H100).resources == frozenset()
    assert components.start_mps(sharing("mps", 4, renameByDefault="true"), H100).resources == {SHARED}


@pytest.mark.parametrize(
    "text, requests, refused",
    [
        (sharing("timeSlicing", 4), {GPU: 2}, False),
        (sharing("timeSlicing", 4, failRequestsGreaterThanOne="true"), {GPU: 2}, True),
        (sharing("timeSlicing", 4, failRequestsGreaterThanOne="true"), {GPU: 1}, False),
        (sharing("mps", 4), {GPU: 2}, True),
        (None, {GPU: 2}, False),
    ],
)
def test_requests_for_several_replicas(text, requests, refused):
    message = components.refused_request(components.start_plugin(text, H100, MPS), requests)
    assert bool(message) is refused
    if refused:
        assert message == (
            'Pod was rejected: Allocate failed due to rpc error: code = Unknown desc = invalid allocation request for "nvidia.com/gpu": '
            "invalid request: maximum request size for shared resources is 1; found 2, which is unexpected"
        )


def gfd(text, hardware=H100, **environment):
    return labels.start_gfd(text, hardware, now=1700000000.9, environment=environment)


def test_labels_of_an_unshared_node():
    assert gfd(None) == {
        "nvidia.com/cuda.driver-version.full": "580.95.05",
        "nvidia.com/cuda.driver-version.major": "580",
        "nvidia.com/cuda.driver-version.minor": "95",
        "nvidia.com/cuda.driver-version.revision": "05",
        "nvidia.com/cuda.driver.major": "580",
        "nvidia.com/cuda.driver.minor": "95",
        "nvidia.com/cuda.driver.rev": "05",
        "nvidia.com/cuda.runtime-version.full": "13.0",
        "nvidia.com/cuda.runtime-version.major": "13",
        "nvidia.com/cuda.runtime-version.minor": "0",
        "nvidia.com/cuda.runtime.major": "13",
        "nvidia.com/cuda.runtime.minor": "0",
        "nvidia.com/gfd.timestamp": "1700000000",
        "nvidia.com/gpu.compute.major": "9",
        "nvidia.com/gpu.compute.minor": "0",
        "nvidia.com/gpu.count": "8",
        "nvidia.com/gpu.family": "hopper",
        "nvidia.com/gpu.machine": "simulated",
        "nvidia.com/gpu.memory": "81559",
        "nvidia.com/gpu.mode": "compute",
        "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
        "nvidia.com/gpu.replicas": "1",
        "nvidia.com/gpu.sharing-strategy": "none",
        "nvidia.com/mig.capable": "true",
        "nvidia.com/mps.capable": "false",
        "nvidia.com/vgpu.present": "false",
    }


@pytest.mark.parametrize(
    "text, product, replicas, strategy, mps",
    [
        (sharing("timeSlicing", 4), "NVIDIA-H100-80GB-HBM3-SHARED", "4", "time-slicing", "false"),
        (sharing("timeSlicing", 4, renameByDefault="true"), "NVIDIA-H100-80GB-HBM3", "4", "time-slicing", "false"),
        # the first entry, although the plugin serves the larger number
        (sharing("timeSlicing", 4, 8), "NVIDIA-H100-80GB-HBM3-SHARED", "4", "time-slicing", "false"),
        (sharing("mps", 3), "NVIDIA-H100-80GB-HBM3-SHARED", "3", "mps", "true"),
        ("sharing: {mps: {resources: [{name: mig-1g.10gb, replicas: 4}]}}", "NVIDIA-H100-80GB-HBM3", "1", "none", "true"),
        ("flags: {migStrategy: single}", "NVIDIA-H100-80GB-HBM3", "1", "none", "false"),
    ],
)
def test_labels_under_sharing(text, product, replicas, strategy, mps):
    found = gfd(text)
    keys = ("gpu.product", "gpu.replicas", "gpu.sharing-strategy", "mps.capable")
    assert [found["nvidia.com/" + key] for key in keys] == [product, replicas, strategy, mps]
    assert found.get("nvidia.com/mig.strategy") == ("single" if "single" in text else None)


def test_gfd_checks_fewer_flags_than_the_plugin():
    text = sharing("mps", 4) + "flags: {migStrategy: mixed, plugin: {deviceIDStrategy: pci}}"
    assert gfd(text)["nvidia.com/gpu.sharing-strategy"] == "mps"
    with pytest.raises(components.Exit, match="unknown strategy: mix"):
        gfd("flags: {migStrategy: mix}")
    with pytest.raises(components.Exit, match="unsupported strategy auto"):
        gfd("", hardware=None)


def test_gfd_options():
    assert "nvidia.com/gfd.timestamp" not in gfd("flags: {gfd: {noTimestamp: true}}")
    assert "nvidia.com/gfd.timestamp" not in gfd("", GFD_NO_TIMESTAMP="true")
    assert gfd("flags: {gfd: {machineTypeFile: ''}}")["nvidia.com/gpu.machine"] == "unknown"


@pytest.mark.parametrize(
    "config, hardware, label",
    [
        ("", H100, "feature.node.kubernetes.io/pci-0302_10de.present"),
        ("sources: {pci: {deviceClassWhitelist: ['02', '03'], deviceLabelFields: [vendor]}}", H100, "feature.node.kubernetes.io/pci-10de.present"),
        ("sources: {pci: {deviceClassWhitelist: ['02']}}", H100, None),
        ("", H100._replace(mode="graphics"), "feature.node.kubernetes.io/pci-0300_10de.present"),
        ("", None, None),
        ("not: [yaml", H100, "feature.node.kubernetes.io/pci-0302_10de.present"),
    ],
)  # fmt: skip
def test_nfd_labels(config, hardware, label):
    found = labels.nfd_labels(config, hardware)
    assert [name for name in found if "/pci-" in name] == ([label] if label else [])
    assert found["feature.node.kubernetes.io/system-os_release.ID"] == "ubuntu"
    assert found["feature.node.kubernetes.io/kernel-version.full"]


def test_nfd_masters_list_of_its_labels():
    names = {"feature.node.kubernetes.io/pci-10de.present", "nvidia.com/gpu.count"}
    assert labels.managed_annotation(names) == "nvidia.com/gpu.count,pci-10de.present"
    assert labels.managed(labels.managed_annotation(names)) == names
    assert labels.managed("") == set()
