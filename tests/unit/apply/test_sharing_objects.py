# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes of a sharing plan: the label patch only fits what the plan saw, and the order survives an interruption."""

from __future__ import annotations

import jsonpatch
import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import sharing_objects as apply
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import ApiError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.sharing import NodeWrite, Plan, Removal

CONFIG = "nvidia.com/device-plugin.config"
OWNED = "gpuops.kubernetes/labels"
OWNED_POINTER = "gpuops.kubernetes~1labels"


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


def test_a_node_without_annotations_gets_the_map_first_unless_somebody_was_faster():
    patch = apply.label_patch(NodeWrite("a", None, "new", [CONFIG], False))
    about = [(operation["op"], operation["path"], operation["value"]) for operation in patch if operation["path"].startswith("/metadata/annotations")]
    assert about == [("test", "/metadata/annotations", None), ("add", "/metadata/annotations", {}), ("add", "/metadata/annotations/" + OWNED_POINTER, CONFIG)]


class Server:
    """Records requests; the one whose text contains C(fails) fails."""

    name, server = "context lab", "https://10.0.0.1:6443"

    def __init__(self, fails=None, status=500):
        self.log, self._fails, self._status = [], fails, status

    def request(self, verb, path, query=None, body=None, content_type=None):
        note = "%s %s" % (verb, path)
        if verb == "PATCH" and "configmaps" in path:
            note += " pending=%s" % body["metadata"].get("annotations", {}).get("gpuops.kubernetes/restart-pending", "")
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


CHANGED = {"api/v1/namespaces": False, "pending=default": True, "nodes/a": True, "plugin-a": True}


@pytest.mark.parametrize("fails, changed", CHANGED.items(), ids=CHANGED)
def test_a_failure_says_whether_something_was_changed_before(monkeypatch, fails, changed):
    monkeypatch.setattr(apply, "read_plugin_pods", pods)
    with pytest.raises(GpuOpsError) as failure:
        apply.apply_plan(Server(fails), PLAN, "gpu", "cm", {"default": "x"}, 1)
    assert failure.value.details["changed"] is changed


def test_a_node_that_is_gone_is_no_failure():
    apply.label_nodes(Server("nodes/a", status=404), PLAN.labels, 1)


@pytest.mark.parametrize("left, request_", [({}, "DELETE"), ({"theirs": "x"}, "PATCH")], ids=["all of it", "our part of it"])
def test_removing_takes_the_whole_config_map_only_where_it_is_all_ours(left, request_):
    server = Server()
    apply.remove(server, Removal([], True, left), "gpu", "cm", 1)
    assert [note.split()[0] for note in server.log] == [request_]


def test_a_label_that_somebody_else_changed_is_a_conflict():
    with pytest.raises(apply.Conflict):
        apply.label_nodes(Server("nodes/a", status=422), PLAN.labels, 1)


def test_only_the_rights_that_the_plan_needs_are_asked_for():
    assert apply.needed_access(Plan(False, False, {}, [], [], [], []), "gpu") == []
    assert {access.resource for access in apply.needed_access(PLAN, "gpu")} == {"namespaces", "configmaps", "nodes", "pods"}
