# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress of long drains and waits: slices that go on with what is left, one line between two of them, one result in the end."""

from __future__ import annotations

import types
from unittest import mock

import pytest

from ansible_collections.gpuops.kubernetes.plugins.action import gpu_maintenance as plugin

POD = {"node": "a", "namespace": "ml", "name": "p", "uid": "1", "reason": "a budget holds it"}
FIRST = {"failed": True, "changed": True, "msg": "late", "left": [POD], "actions": ["cordon a"], "pods": [{}, {}, {}], "diff": ["d"], "nodes": [{}]}
SECOND = {"failed": True, "changed": False, "msg": "later", "left": [POD], "actions": [], "pods": [{}], "diff": [], "nodes": [{}]}
DONE = {"changed": False, "actions": [], "pods": [], "diff": [], "nodes": [{"name": "a"}]}
WAITS = {"failed": True, "changed": False, "msg": "late", "left": [{"node": "a", "reason": "no network"}], "actions": [], "nodes": [{}, {}]}


@pytest.fixture
def run(monkeypatch):
    """Return run(answers, **args): the result, the arguments of each slice, and the lines told. A slice takes as long as it may."""
    clock = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr(plugin, "time", types.SimpleNamespace(monotonic=lambda: clock.now))
    told = []
    monkeypatch.setattr(plugin, "Display", lambda: types.SimpleNamespace(display=lambda text, stderr: told.append((text, stderr))))

    def call(answers, check_mode=False, **args):
        task = types.SimpleNamespace(action="gpu_maintenance", async_val=0, check_mode=check_mode, diff=False, args=args)
        others = {"connection": mock.Mock(), "play_context": None, "loader": None, "templar": None, "shared_loader_obj": None}
        slices = []

        def module(module_args, task_vars):
            slices.append(module_args)
            clock.now += module_args.get("timeout", 0.0) if isinstance(module_args.get("timeout", 0.0), float) else 0.0
            return dict(answers[min(len(slices), len(answers)) - 1])

        action = plugin.ActionModule(task=task, **others)
        monkeypatch.setattr(action, "_execute_module", module)
        return action.run(task_vars={}), slices, told

    return call


def test_a_long_drain_goes_on_with_the_pods_that_are_left(run):
    result, slices, told = run([FIRST, SECOND, DONE], state="drained", nodes=["a"])
    assert [each.get("only_pods") for each in slices] == [None, ["1"], ["1"]] and [each["timeout"] for each in slices] == [15.0] * 3
    assert told == [("gpu_maintenance: 1 of 3 pods left, waiting for ml/p on a: a budget holds it", True)] * 2
    assert result == {"changed": True, "actions": ["cordon a"], "pods": [{}, {}, {}], "diff": ["d"], "nodes": [{"name": "a"}]}


def test_the_timeout_of_the_task_ends_it(run):
    result, slices, told = run([FIRST, SECOND], state="drained", nodes=["a"], timeout="40")
    assert [each["timeout"] for each in slices] == [15.0, 15.0, 10.0] and len(told) == 2
    assert result["failed"] and result["changed"] and (result["msg"], result["actions"], result["left"]) == ("later", ["cordon a"], [POD])


def test_a_wait_for_nodes_tells_of_nodes(run):
    _result, _slices, told = run([WAITS, DONE], state="ready", nodes=["a", "b"])
    assert told == [("gpu_maintenance: 1 of 2 nodes left, waiting for a: no network", True)]


@pytest.mark.parametrize("answer", [{"failed": True, "msg": "refused", "changed": False}, DONE], ids=["a refusal", "success"])
def test_what_ends_in_the_first_slice_is_returned_as_it_is(run, answer):
    result, slices, told = run([answer], state="drained", nodes=["a"])
    assert result == answer and len(slices) == 1 and told == []


AS_THEY_ARE = {
    "check mode": {"check_mode": True, "state": "drained"},
    "another state": {"state": "cordoned"},
    "a short timeout": {"state": "ready", "timeout": 15},
    "a timeout that is none": {"state": "ready", "timeout": "soon"},
}


@pytest.mark.parametrize("args", AS_THEY_ARE.values(), ids=AS_THEY_ARE)
def test_the_module_gets_the_options_as_they_are_where_there_is_nothing_to_slice(run, args):
    _result, slices, _told = run([DONE], **args)
    assert slices == [{key: value for key, value in args.items() if key != "check_mode"}]
