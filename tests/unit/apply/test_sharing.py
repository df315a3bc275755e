# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes of a sharing plan: the label patch only fits what the plan saw, and the order survives an interruption."""

from __future__ import annotations

import jsonpatch
import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import sharing as apply
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import ApiError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.sharing import NodeWrite, Plan

CONFIG = "nvidia.com/device-plugin.config"
OWNED = "gpuops.kubernetes/labels"


def test_a_label_is_replaced_only_where_the_plans_value_still_is():
    patch = apply.label_patch(NodeWrite("a", "old", "new", [CONFIG], True))
    node = {"metadata": {"labels": {CONFIG: "old"}, "annotations": {}}}
    assert jsonpatch.apply_patch(node, patch)["metadata"] == {"labels": {CONFIG: "new"}, "annotations": {OWNED: CONFIG}}
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        jsonpatch.apply_patch({"metadata": {"labels": {CONFIG: "else"}, "annotations": {}}}, patch)


def test_removing_the_last_label_of_ours_removes_the_note_too():
    patch = apply.label_patch(NodeWrite("a", "old", None, [], True))
    node = {"metadata": {"labels": {CONFIG: "old", "x": "y"}, "annotations": {OWNED: CONFIG}}}
    assert jsonpatch.apply_patch(node, patch)["metadata"] == {"labels": {"x": "y"}, "annotations": {}}


def test_a_node_without_annotations_gets_the_map_first():
    operations = [operation["path"] for operation in apply.label_patch(NodeWrite("a", None, "new", [CONFIG], False))]
    assert operations.index("/metadata/annotations") < operations.index("/metadata/annotations/gpuops.kubernetes~1labels")


class Server:
    """Records requests; the one whose text contains C(fails) fails."""

    name, server = "context lab", "https://10.0.0.1:6443"

    def __init__(self, fails=None, status=500):
        self.log, self._fails, self._status = [], fails, status

    def request(self, verb, path, query=None, body=None, content_type=None):
        note = "%s %s" % (verb, path)
        if verb == "PATCH" and "configmaps" in path:
            note += " pending=%s" % body["metadata"]["annotations"].get("gpuops.kubernetes/restart-pending", "")
        self.log.append(note)
        if self._fails and self._fails in note:
            raise ApiError(self._status, "Failed", verb, path, "no")
        return {}


def pods(connection, namespace, config_map):
    return [{"name": "plugin-%s" % name, "uid": "1", "node": name, "trouble": ""} for name in ("a", "b")]


PLAN = Plan(True, True, {"default": "x"}, ["default"], [NodeWrite("a", None, "x", [CONFIG], True)], ["a"], [])


def test_the_note_of_due_restarts_is_written_before_and_taken_off_after_them(monkeypatch):
    monkeypatch.setattr(apply, "read_plugin_pods", pods)
    server = Server()
    apply.apply_plan(server, PLAN, "gpu", "cm", {"default": "x"}, 1)
    assert server.log == [
        "POST /api/v1/namespaces",
        "PATCH /api/v1/namespaces/gpu/configmaps/cm pending=default",
        "PATCH /api/v1/nodes/a",
        "DELETE /api/v1/namespaces/gpu/pods/plugin-a",
        "PATCH /api/v1/namespaces/gpu/configmaps/cm pending=",
    ]


@pytest.mark.parametrize("fails", ["nodes/a", "plugin-a"])
def test_a_failure_on_the_way_leaves_the_note(monkeypatch, fails):
    monkeypatch.setattr(apply, "read_plugin_pods", pods)
    server = Server(fails)
    with pytest.raises(GpuOpsError, match="the others were, and the next run continues"):
        apply.apply_plan(server, PLAN, "gpu", "cm", {"default": "x"}, 1)
    assert not any(note.endswith("pending=") for note in server.log)


def test_a_pod_that_is_gone_already_is_no_failure(monkeypatch):
    monkeypatch.setattr(apply, "read_plugin_pods", pods)
    server = Server("plugin-a", status=404)
    apply.apply_plan(server, PLAN, "gpu", "cm", {"default": "x"}, 1)
    assert server.log[-1].endswith("pending=")


def test_a_label_that_somebody_else_changed_is_a_conflict():
    with pytest.raises(apply.Conflict):
        apply.label_nodes(Server("nodes/a", status=422), PLAN.labels, 1)


def test_only_the_rights_that_the_plan_needs_are_asked_for():
    assert apply.needed_access(Plan(False, False, {}, [], [], [], []), "gpu") == []
    assert {access.resource for access in apply.needed_access(PLAN, "gpu")} == {"namespaces", "configmaps", "nodes", "pods"}
