# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which changes of version are allowed, and what a version brings with it."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_versions

ORDER = [
    "v1.9.10+k3s1",
    "v1.35.0-rc1+k3s1",
    "v1.35.0+k3s1",
    "v1.35.6-alpha.2+k3s1",
    "v1.35.6-rc2+k3s1",
    "v1.35.6-rc10+k3s1",
    "v1.35.6-rc10+k3s2",
    "v1.35.6+k3s1",
    "v1.35.6+k3s2",
    "v1.35.10+k3s1",
    "v1.36.0+k3s1",
]


@pytest.mark.parametrize("one, other", list(itertools.product(ORDER, ORDER)))
def test_versions_are_ordered(one, other):
    expected = (ORDER.index(one) > ORDER.index(other)) - (ORDER.index(one) < ORDER.index(other))
    assert kube_versions.compare(one, other) == expected


def test_a_version_is_read_as_its_parts():
    assert kube_versions.parse("v1.35.6-rc1+rke2r2")[1:] == ("rke2", 1, 35, 6, "rc1", 2)


@pytest.mark.parametrize("text", ["", "1.35.6+k3s1", "v1.35.6", "v1.35+k3s1", "latest", "v1.35.6+k3s1-256-g9269a8f5c3", "v1.35.6+k0s.0", "v1.35.6+k3s1\n"])
def test_what_is_no_release_is_told(text):
    with pytest.raises(ValueError, match="not a release such as v1.35.6"):
        kube_versions.parse(text)


CHANGES = [
    (None, "v1.35.6+k3s1", "install", ""),
    ("", "v1.35.6+k3s1", "install", ""),
    ("v1.35.6+k3s1", "v1.35.6+k3s1", "none", "runs already"),
    ("v1.35.5+k3s1", "v1.35.6+k3s1", "patch", "v1.35.5+k3s1 becomes v1.35.6+k3s1"),
    ("v1.35.6+k3s1", "v1.35.6+k3s2", "patch", ""),
    ("v1.35.6-rc1+k3s1", "v1.35.6+k3s1", "patch", ""),
    ("v1.34.9+k3s1", "v1.35.0+k3s1", "minor", ""),
    ("v1.35.6+k3s1", "v1.35.5+k3s1", "refuse", "does not support a downgrade"),
    ("v1.36.0+k3s1", "v1.35.6+k3s1", "refuse", "does not support a downgrade"),
    ("v1.35.6+k3s1", "v1.35.6-rc1+k3s1", "refuse", "does not support a downgrade"),
    ("v1.33.9+k3s1", "v1.35.6+k3s1", "refuse", "no minor version may be skipped"),
    ("v1.35.6+k3s1", "v2.36.0+k3s1", "refuse", "another major version"),
    ("v1.35.6+rke2r1", "v1.35.6+k3s1", "refuse", "does not become"),
    ("v1.35.6", "v1.35.6+k3s1", "refuse", "it is unknown what runs here"),
    ("v1.35.6+k3s1", "1.36", "refuse", "not a release"),
]


@pytest.mark.parametrize("running, wanted, kind, words", CHANGES)
def test_a_change_is_allowed_or_refused_with_a_fix(running, wanted, kind, words):
    change = kube_versions.change(running, wanted)
    assert change.kind == kind
    assert words in change.text
    assert bool(change.fix) == (kind == "refuse")


def test_a_skipped_minor_names_the_next_one():
    assert "v1.34 first" in kube_versions.change("v1.33.9+k3s1", "v1.36.0+k3s1").fix


SKEW = [
    ("v1.35.6+k3s1", "v1.35.6+k3s1", None),
    ("v1.35.5+k3s1", "v1.35.6+k3s1", None),
    ("v1.35.7+k3s1", "v1.35.6+k3s1", "newer"),
    ("v1.36.0+k3s1", "v1.35.6+k3s1", "newer"),
    ("v1.32.0+k3s1", "v1.35.6+k3s1", None),
    ("v1.31.9+k3s1", "v1.35.6+k3s1", "3 minor versions older"),
    ("v1.25.0+k3s1", "v1.28.0+k3s1", None),
    ("v1.25.0+k3s1", "v1.27.9+k3s1", None),
    ("v1.24.0+k3s1", "v1.27.9+k3s1", "2 minor versions older"),
]


@pytest.mark.parametrize("agent, server, words", SKEW)
def test_an_agent_is_not_newer_and_not_much_older_than_a_server(agent, server, words):
    found = kube_versions.agent_skew(agent, server)
    assert (found is None) if words is None else (words in found.text and found.fix)


CONTAINERD = [
    ("v1.30.14+k3s1", "1.7", 2, "config.toml.tmpl"),
    ("v1.31.5+k3s1", "1.7", 2, "config.toml.tmpl"),
    ("v1.31.6+k3s1", "2.0", 3, "config-v3.toml.tmpl"),
    ("v1.32.1+k3s1", "1.7", 2, "config.toml.tmpl"),
    ("v1.32.2+k3s1", "2.0", 3, "config-v3.toml.tmpl"),
    ("v1.33.0+rke2r1", "2.0", 3, "config-v3.toml.tmpl"),
    ("v1.36.0+k3s1", "2.3", 3, "config-v3.toml.tmpl"),
    ("v2.0.0+k3s1", "2.3", 3, "config-v3.toml.tmpl"),
]


@pytest.mark.parametrize("version, series, config_version, template", CONTAINERD)
def test_the_containerd_inside_is_known(version, series, config_version, template):
    assert kube_versions.containerd(version) == (series, config_version, template)


PATH = "/usr/local/bin:/usr/bin"
OPERATOR = "/usr/local/nvidia/toolkit"
SEARCHES = [
    ("v1.25.16+k3s1", [OPERATOR, "/usr/bin"]),
    ("v1.29.1+k3s1", [OPERATOR, "/usr/bin"]),
    ("v1.29.2+k3s1", ["/usr/local/bin", "/usr/bin"]),
    ("v1.26.14+k3s1", ["/usr/local/bin", "/usr/bin"]),
    ("v1.27.16+k3s1", ["/usr/local/bin", "/usr/bin"]),
    ("v1.29.9+k3s1", ["/usr/local/bin", "/usr/bin"]),
    ("v1.29.10+k3s1", [OPERATOR, "/opt/kwasm/bin", "/usr/local/bin", "/usr/bin"]),
    ("v1.31.1+rke2r1", ["/usr/local/bin", "/usr/bin"]),
    ("v1.35.6+k3s1", [OPERATOR, "/opt/kwasm/bin", "/usr/local/bin", "/usr/bin"]),
]


@pytest.mark.parametrize("version, directories", SEARCHES)
def test_where_runtimes_are_looked_for_is_known(version, directories):
    assert kube_versions.runtime_search(version, PATH) == directories


RUNTIME_CLASSES = [
    ("v1.25.16+k3s4", False),
    ("v1.26.11+k3s2", False),
    ("v1.26.12+k3s1", True),
    ("v1.29.0+k3s1", True),
    ("v1.29.13+rke2r1", False),
    ("v1.29.14+rke2r1", True),
    ("v1.32.0+rke2r1", False),
    ("v1.35.7+rke2r1", True),
]


@pytest.mark.parametrize("version, shipped", RUNTIME_CLASSES)
def test_whether_runtime_classes_are_shipped_is_known(version, shipped):
    assert kube_versions.ships_runtime_classes(version) is shipped
