# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys of Helm values against the chart's own."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.filter import chart_values_problems as plugin
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.chart_values import changes, problems

CHART = {
    "gfd": {"enabled": False, "nameOverride": "gpu-feature-discovery", "sleepInterval": None},
    "nfd": {"worker": {"tolerations": [{"key": "x"}]}},
    "config": {"name": "", "default": "", "map": {}},
    "tolerations": [],
    "nodeSelector": {"a": "b"},
    "resources": {},
    "runtimeClassName": None,
    "podAnnotations": {},
    "image": {"tag": "1", "pullPolicy": "Always"},
    "logLevel": 1,
}


@pytest.mark.parametrize("values", [
    {},
    {"gfd": {"enabled": True}},
    {"gfd": {"enabled": None}},
    {"tolerations": [{"operator": "Exists"}]},
    {"nodeSelector": {"any": "thing"}},
    {"resources": {"limits": {"cpu": "1"}}},
    {"podAnnotations": {"any/thing": "x"}},
    {"global": {"any": {"thing": 1}}},
    {"image": None},
])
def test_values_that_the_chart_reads(values):
    assert problems(values, CHART) == []


@pytest.mark.parametrize(("values", "path", "severity", "fix"), [
    ({"gfd": {"enabeld": True}}, "gfd.enabeld", "refuse", "write gfd.enabled"),
    ({"tollerations": []}, "tollerations", "refuse", "write tolerations"),
    ({"enabled": True}, "enabled", "refuse", "move it: the chart has gfd.enabled"),
    ({"gfd.enabled": True}, "gfd.enabled", "refuse", "write it nested, as gfd: enabled"),
    ({"image": "nvcr.io/x:1"}, "image", "refuse", "set one of its keys, such as image.pullPolicy"),
    ({"logLevel": {"all": 1}}, "logLevel", "refuse", "give it a number"),
    ({"config": {"map": {"a": "b"}}}, "config.map.a", "warn", "make sure that the chart's templates read it"),
    ({"zzz": 1}, "zzz", "refuse", "remove it, or use a key that the chart has there (config, gfd, image, logLevel, nfd, nodeSelector"),
])
def test_values_that_the_chart_would_ignore(values, path, severity, fix):
    (problem,) = problems(values, CHART)
    assert (problem.path, problem.severity) == (path, severity)
    assert problem.fix.startswith(fix)


@pytest.mark.parametrize(("values", "found"), [
    ({"config": {"map": {"a": "b"}}}, []),
    ({"noTimestamp": True, "nfd": {"enabled": True, "worker": {"config": {"any": 1}}}}, []),
    ({"gfd": {"sleepInterval": "1s"}}, [("gfd.sleepInterval", "warn", "set sleepInterval instead")]),
    ({"nfd": {"master": {"replicas": 2}}}, [("nfd.master", "warn", "make sure that the chart's templates read it")]),
    ({"nfd": {"wroker": {}}}, [("nfd.wroker", "warn", "write nfd.worker")]),
])
def test_what_is_known_of_a_chart_beyond_its_values(values, found):
    assert [(one.path, one.severity, one.fix) for one in problems(values, CHART, "nvidia-device-plugin")] == found


def test_a_subchart_that_is_known_is_compared_as_well():
    subcharts = {"nfd": {"master": {"replicaCount": 1}}}
    (problem,) = problems({"nfd": {"master": {"replicas": 2}}}, CHART, "nvidia-device-plugin", subcharts)
    assert (problem.path, problem.severity) == ("nfd.master.replicas", "refuse")
    assert problems({"nfd": {"master": {"replicaCount": 2}, "worker": {"tolerations": []}}}, CHART, "nvidia-device-plugin", subcharts) == []


@pytest.mark.parametrize(("values", "chart", "path"), [([1], CHART, "values"), ("a: b", CHART, "values"), ({}, "no map", "values.yaml")])
def test_what_is_no_map_is_refused(values, chart, path):
    assert [one.path for one in problems(values, chart)] == [path]


def test_the_content_of_values_is_never_shown():
    values = {"imagePasswrd": "hunter2", "gfd": {"token": {"deep": "hunter2"}}, "image": "hunter2", "logLevel": {"hunter": "hunter2"}}
    assert "hunter2" not in str(plugin.chart_values_problems(values, CHART))


@pytest.mark.parametrize(("before", "after", "expected"), [
    ({}, {}, []),
    ({"a": 1}, {"a": 1}, []),
    ({"a": {"b": 1, "c": 2}}, {"a": {"b": 2, "d": 3}}, ["~ a.b", "- a.c", "+ a.d"]),
    ({"a": {"b": 1}}, {"a": 1}, ["~ a"]),
    ({"a": [1]}, {"a": [1, 2]}, ["~ a"]),
])
def test_changes_name_the_keys(before, after, expected):
    assert changes(before, after) == expected
