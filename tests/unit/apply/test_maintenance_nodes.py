# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes of maintenance: a patch only fits the node that the plan saw, and what failed is named."""

from __future__ import annotations

import jsonpatch
import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import maintenance_nodes as apply
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.sharing_objects import Conflict
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import ApiError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import maintenance as decide
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.maintenance import node_record

from tests.unit.apply.patches import applied

OURS = {decide.CORDONED: "driver"}


def raw(annotations=None, **spec):
    metadata = {"name": "a", "labels": {"os": "linux"}}
    return {"metadata": dict(metadata, annotations=annotations) if annotations else metadata, "spec": spec}


def patch_of(node, change):
    (write,) = decide.node_writes({"a": node_record(node)}, change)
    return apply.node_patch(write)


def cordon(record):
    return decide.cordon(record, "driver")


NODES = {"with annotations": {"x": "y"}, "without annotations": None}


@pytest.mark.parametrize("annotations", NODES.values(), ids=NODES)
def test_a_cordon_and_its_end_are_written_together_with_the_note(annotations):
    held = applied(raw(annotations), patch_of(raw(annotations), cordon))
    assert held["spec"] == {"unschedulable": True} and held["metadata"]["annotations"] == dict(annotations or {}, **OURS)
    freed = applied(held, patch_of(held, decide.uncordon))
    assert freed["spec"] == {} and freed["metadata"]["annotations"] == (annotations or {})


MEANWHILE = {
    "somebody cordoned it": raw({"x": "y"}, unschedulable=True),
    "another run of ours cordoned it": raw(dict(OURS, x="y")),
}


@pytest.mark.parametrize("node", MEANWHILE.values(), ids=MEANWHILE)
def test_a_cordon_does_not_fit_a_node_that_changed_meanwhile(node):
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        applied(node, patch_of(raw({"x": "y"}), cordon))


def test_annotations_that_somebody_made_first_are_not_lost():
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        applied(raw({"x": "y"}), patch_of(raw(), cordon))


class Server:
    """Refuses the write of some nodes with a status."""

    def __init__(self, **refused):
        self._refused = refused

    def request(self, verb, path, query=None, body=None, content_type=None):
        name = path.rpartition("/")[2]
        if name in self._refused:
            raise ApiError(self._refused[name], "Failed", verb, path, "no")


FAILED = {
    "one was changed meanwhile": ({"a": 422}, True, True),
    "all were changed meanwhile": ({"a": 422, "b": 409}, True, False),
    "one is gone": ({"b": 404}, False, True),
    "one was changed, one failed": ({"a": 422, "b": 500}, False, False),
}


@pytest.mark.parametrize("refused, conflict, changed", FAILED.values(), ids=FAILED)
def test_what_could_not_be_written_is_named(refused, conflict, changed):
    writes = decide.node_writes({name: dict(node_record(raw({"x": "y"})), name=name) for name in "ab"}, cordon)
    with pytest.raises(GpuOpsError) as failure:
        apply.write_nodes(Server(**refused), writes, 2)
    assert isinstance(failure.value, Conflict) is conflict and failure.value.details == {"failed": sorted(refused), "changed": changed}


def test_rights_are_needed_only_for_writes():
    assert apply.write_access([]) == [] and [access.verb for access in apply.write_access([decide.NodeWrite("a", [], [])])] == ["patch"]
