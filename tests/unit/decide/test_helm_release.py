# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which helm can be used, and what a release needs before it can be upgraded."""

from __future__ import annotations

import json

import pytest
from ansible_collections.gpuops.kubernetes.plugins.filter import helm_release as plugin
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.helm_release import missing_objects, repair, version_problem

# 2026-01-02T03:04:05Z
NOW = 1767323045


def revision(number, status, updated="2026-01-02T03:04:05Z", description="Upgrade complete"):
    return {"revision": number, "status": status, "updated": updated, "description": description}


@pytest.mark.parametrize("shown", ["v3.8.0+gd141386", "v3.22.0+g0000000", "v3.8.0-rc.1+g1", "version.BuildInfo 3.20.1", "WARNING: odd\nv3.19.2+g1"])
def test_a_helm_that_can_be_used(shown):
    assert version_problem(shown) == ""


@pytest.mark.parametrize(("shown", "found"), [
    ("v3.7.2+g663a896", "v3.7.2+g663a896"),
    ("v4.0.0+g99cd196", "v4.0.0+g99cd196"),
    ("v4.1.0-rc.1+g1\n", "v4.1.0-rc.1+g1"),
    ("v10.0.0", "v10.0.0"),
    ("Client: v2.17.0+ga690bad", "Client: v2.17.0+ga690bad"),
    ("hello", "hello"),
    ("", "no helm"),
])
def test_a_helm_that_cannot_be_used(shown, found):
    assert version_problem(shown) == "found %s, and helm 3.8 or newer is needed, but not 4" % found


@pytest.mark.parametrize(("history", "missing", "action", "to"), [
    ([], (), "none", 0),
    ([revision(1, "deployed")], (), "none", 1),
    ([revision(1, "uninstalled")], (), "none", 1),
    ([revision(1, "uninstalled")], ("DaemonSet n/a",), "none", 1),
    ([revision(1, "superseded"), revision(2, "deployed")], ("DaemonSet n/a",), "rollback", 2),
    ([revision(1, "failed")], (), "uninstall", 1),
    ([revision(1, "deployed"), revision(2, "failed")], (), "rollback", 1),
    ([revision(1, "superseded"), revision(2, "failed")], (), "rollback", 1),
    # Helm lists the revisions in order, but as texts 10 comes before 9.
    ([revision(10, "failed"), revision(9, "deployed")], (), "rollback", 9),
    ([revision(1, "deployed"), revision(2, "uninstalling")], (), "uninstall", 2),
    ([revision(1, "pending-install")], (), "wait", 1),
    ([revision(1, "pending-install", "2026-01-02T02:00:00Z")], (), "uninstall", 1),
    ([revision(1, "deployed"), revision(2, "pending-upgrade")], (), "wait", 2),
    ([revision(1, "deployed"), revision(2, "pending-upgrade", "2026-01-02T02:00:00Z")], (), "rollback", 1),
    # A time stamp that cannot be read is no reason to wait.
    ([revision(1, "deployed"), revision(2, "pending-rollback", "")], (), "rollback", 1),
])
def test_what_a_release_needs(history, missing, action, to):
    found = repair(history, missing, NOW + 60, 300)
    assert (found.action, found.revision) == (action, to)
    assert bool(found.reason) is (action != "none")


@pytest.mark.parametrize(("updated", "action"), [
    ("2026-01-02T03:04:05.123456789Z", "wait"),
    ("2026-01-02 03:04:05.123456789 +0000 UTC", "wait"),
    ("2026-01-02T05:04:05.5+02:00", "wait"),
    ("2026-01-02T03:04:05+02:00", "uninstall"),
    ("Fri Jan  2 03:04:05 2026", "uninstall"),
])
def test_time_stamps_of_helm(updated, action):
    assert repair([revision(1, "pending-install", updated)], (), NOW + 60, 300).action == action


def test_the_reason_names_what_is_missing_or_what_helm_said():
    assert "ConfigMap n/a, DaemonSet n/b" in repair([revision(3, "deployed")], ["ConfigMap n/a", "DaemonSet n/b"], NOW, 0).reason
    assert "revision 1 is failed (timed out)" in repair([revision(1, "failed", description="timed\n out")], (), NOW, 0).reason


@pytest.mark.parametrize("history", ["", " \n", "[]"])
def test_no_release_is_absent(history):
    assert plugin.helm_release_repair(history, NOW, grace="300") == {"action": "none", "status": "absent", "revision": 0, "reason": ""}


def test_the_filter_reads_what_helm_printed():
    assert plugin.helm_release_repair(json.dumps([revision(1, "failed")]), NOW)["action"] == "uninstall"


CREATED = {"method": "create", "result": {"kind": "DaemonSet", "metadata": {"name": "a", "namespace": "n"}}}
THERE = {"method": "update", "result": {"kind": "ConfigMap", "metadata": {"name": "b", "namespace": "n"}}}
CLUSTER_WIDE = {"method": "create", "result": {"kind": "ClusterRole", "metadata": {"name": "c"}}}


@pytest.mark.parametrize(("outcome", "names"), [
    (CREATED, ["DaemonSet n/a"]),
    (THERE, []),
    ({"result": {"results": [CREATED, THERE, CLUSTER_WIDE]}}, ["DaemonSet n/a", "ClusterRole c"]),
    ({"result": {"results": []}}, []),
    ({"skipped": True}, []),
    ({"result": {}}, []),
    (None, []),
])
def test_objects_that_are_missing(outcome, names):
    assert missing_objects(outcome) == names


def test_filters_are_offered_by_their_names():
    assert sorted(plugin.FilterModule().filters()) == ["helm_release_repair", "helm_version_problem", "missing_objects"]
