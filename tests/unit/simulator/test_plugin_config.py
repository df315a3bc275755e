# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The config file as leniently as the real components read it: our own restatement of what they were seen to do."""

from __future__ import annotations

import pytest

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator import go_yaml, plugin_config

TS = "sharing:\n  timeSlicing:\n    %s\n"
GPU4 = "resources: [{name: nvidia.com/gpu, replicas: 4}]"


def shared(text):
    """Return what a file shares: strategy, rename, entries."""
    config = plugin_config.parse(text)
    found = config.replicated
    return config.strategy, found.rename if found else None, [tuple(each) for each in found.entries] if found else []


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", ("none", None, [])),
        ("version: v1\n", ("none", None, [])),
        ("version: ''\nsharing:\n", ("none", None, [])),
        (TS % GPU4, ("time-slicing", False, [("nvidia.com/gpu", 4)])),
        (TS % "resources: [{name: gpu, replicas: 4.0}]", ("time-slicing", False, [("nvidia.com/gpu", 4)])),
        (TS % ("renameByDefault: yes\n    " + GPU4), ("time-slicing", True, [("nvidia.com/gpu", 4)])),
        # structs match in any case, maps only as written
        ("SHARING:\n  timeslicing:\n    " + GPU4, ("time-slicing", False, [("nvidia.com/gpu", 4)])),
        (TS % ("renamebydefault: true\n    " + GPU4), ("time-slicing", False, [("nvidia.com/gpu", 4)])),
        # unknown keys are nothing
        ("sharings:\n  timeSlicing:\n    " + GPU4, ("none", None, [])),
        ("sharing:\n  time_slicing:\n    " + GPU4, ("none", None, [])),
        # the last of two keys wins
        ("sharing:\n  timeSlicing: {%s}\nsharing: {}\n" % GPU4, ("none", None, [])),
        # both strategies are MPS; an empty mps is none
        ("sharing:\n  timeSlicing: {%s}\n  mps: {resources: [{name: gpu, replicas: 3}]}\n" % GPU4, ("mps", False, [("nvidia.com/gpu", 3)])),
        ("sharing:\n  timeSlicing: {%s}\n  mps:\n" % GPU4, ("time-slicing", False, [("nvidia.com/gpu", 4)])),
        ('{"sharing": {"timeSlicing": {"resources": [{"name": "gpu", "replicas": 2}]}}}', ("time-slicing", False, [("nvidia.com/gpu", 2)])),
    ],
)
def test_accepted(text, expected):
    assert shared(text) == expected


@pytest.mark.parametrize(
    "text, words",
    [
        ("version: v2", "unknown version: v2"),
        ("version: 1", "unknown version: 1"),
        (TS % "resources: [{name: gpu, replicas: 1}]", "number of replicas must be >= 2"),
        (TS % "resources: [{name: gpu, replicas:}]", "number of replicas must be >= 2"),
        (TS % "resources: [{name: gpu}]", "no replicas specified"),
        (TS % "resources: [{replicas: 4}]", "no resource name specified"),
        (TS % "resources: [null]", "no resource name specified"),
        (TS % "resources: []", "no resources specified"),
        (TS % "renameByDefault: true", "no resources specified"),
        ("sharing:\n  timeSlicing:\n", "no resources specified"),
        (
            TS % "resources: [{name: gpu, replicas: '4'}]",
            "json: cannot unmarshal string into Go struct field Sharing.sharing.timeSlicing of type int",
        ),
        (
            TS % "resources: [{name: gpu, replicas: 4.5}]",
            "json: cannot unmarshal number 4.5 into Go struct field Sharing.sharing.timeSlicing of type int",
        ),
        (
            "sharing: {mps: {renameByDefault: 'true', %s}}" % GPU4,
            "json: cannot unmarshal string into Go struct field Sharing.sharing.mps of type bool",
        ),
        ("sharing: []", "json: cannot unmarshal array into Go struct field Config.sharing of type v1.Sharing"),
        ("just text", "json: cannot unmarshal string into Go value of type v1.Config"),
        ("flags: {failOnInitError: 'no'}", "json: cannot unmarshal string into Go struct field Flags.flags.failOnInitError of type bool"),
        (TS % "resources: [{name: nvidia.com/GPU, replicas: 4}]", "incorrect format for resource name 'nvidia.com/GPU': [a lowercase"),
        (TS % "resources: [{name: amd.com/gpu, replicas: 4}]", "incorrect format for resource name 'nvidia.com/amd.com/gpu'"),
        (TS % ("resources: [{name: %s, replicas: 4}]" % ("a" * 53)), "fully-qualified resource name must be 63 characters or less"),
        (TS % "resources: [{name: gpu, replicas: 4, devices: some}]", "devices set as 'some' but the only valid string input is 'all'"),
        (TS % "resources: [{name: gpu, replicas: 4, devices: 0}]", "devices set as '0' but a count of devices must be > 0"),
        (TS % "resources: [{name: gpu, replicas: 4, devices: [x]}]", "unsupported type for device in devices list: x, string"),
        ("flags: {plugin: {deviceListStrategy: 3}}", "invalid deviceListStrategy: 3"),
        ("resources: {gpus: [{name: x}]}", "resources must have a 'pattern' field set"),
        ("version: v1\nsharing: [\n", "error converting YAML to JSON: yaml: line 2: did not find expected node content"),
    ],
)
def test_refused(text, words):
    with pytest.raises(plugin_config.ConfigError) as caught:
        plugin_config.parse(text)
    assert words in str(caught.value)
    assert str(caught.value).startswith("unable to finalize config: unable to parse config file: error parsing config file: ")


def test_warnings_for_what_is_ignored():
    text = TS % "resources: [{name: gpu, replicas: 4, devices: [0, '0:1'], rename: foo}]" + "resources: {gpus: [{pattern: '*', name: foo}]}"
    config = plugin_config.parse(text)
    assert [warning.split(" field")[0] for warning in config.warnings] == [
        "Customizing the 'resources'",
        "Customizing the 'devices'",
        "Setting the 'rename'",
    ]
    assert config.replicated.rename is False


@pytest.mark.parametrize(
    "text, fails",
    [
        (TS % GPU4, False),
        (TS % ("failRequestsGreaterThanOne: true\n    " + GPU4), True),
        ("sharing: {mps: {%s}}" % GPU4, True),
        ("sharing: {mps: {failRequestsGreaterThanOne: false, %s}}" % GPU4, False),
        ("", False),
    ],
)
def test_requests_for_more_than_one(text, fails):
    assert plugin_config.parse(text).fails_above_one() is fails


@pytest.mark.parametrize(
    "text, value",
    [
        ("a: y", {"a": True}),
        ("a: Off", {"a": False}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: 2026-01-01", {"a": "2026-01-01"}),
        ("a: 010", {"a": 8}),
        ("1: a", {"1": "a"}),
        ("true: a", {"true": "a"}),
        ("a: 1\n---\nb: 2", {"a": 1}),
        ("x: &x {a: 1}\nz: {<<: *x, b: 2}", {"x": {"a": 1}, "z": {"a": 1, "b": 2}}),
    ],
)
def test_yaml_as_go_reads_it(text, value):
    assert go_yaml.load(text) == value
