# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drains and waits against a scripted API server: what a real one does too rarely to wait for it."""

from __future__ import annotations

import json
import urllib.parse

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import maintenance
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.maintenance_drain import drained
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.modules.gpu_maintenance import argument_spec

from tests.unit.cluster.fakes import Answer, connection

PARAMS = {name: option.get("default") for name, option in argument_spec().items()}
PARAMS.update(nodes=["a", "b"], sleep=0.01, timeout=60.0)
TOO_MANY = "Cannot evict pod as it would violate the pod's disruption budget."


def answer(status, message="no"):
    return Answer(status, {"message": message})


class Cluster:
    """Two nodes with pods; C(answers) are what the evictions get in turn before they work, C(script) what reads get in turn before they do."""

    def __init__(self, pods=(), answers=(), script=(), unschedulable=False):
        self.pods, self.answers, self.script = dict(pods), list(answers), list(script)
        self.spec = {"unschedulable": True} if unschedulable else {}
        self.log = []

    def __call__(self, verb, url, body):
        path = urllib.parse.unquote(urllib.parse.urlsplit(url).path)
        if verb == "POST" and path.endswith("selfsubjectaccessreviews"):
            return Answer(201, {"status": {"allowed": True}})
        if verb == "GET" and self.script:
            return self.script.pop(0)
        if path.startswith("/api/v1/nodes/"):
            return self._node(verb, path.rpartition("/")[2])
        if path == "/api/v1/pods":
            node = urllib.parse.unquote(url).partition("spec.nodeName=")[2].partition("&")[0]
            return Answer(200, {"items": [self._pod(name, uid) for (name, on), uid in self.pods.items() if on == node]})
        if path.endswith("/eviction"):
            return self._evict(path.split("/")[-2], json.loads(body))
        return Answer(200, {"items": []})

    def _node(self, verb, name):
        if verb == "PATCH":
            self.log.append("cordon %s" % name)
        conditions = [{"type": "Ready", "status": "True"}]
        return Answer(200, {"metadata": {"name": name, "annotations": {"x": "y"}}, "spec": self.spec, "status": {"conditions": conditions}})

    @staticmethod
    def _pod(name, uid):
        metadata = {"namespace": "ml", "name": name, "uid": uid, "ownerReferences": [{"kind": "ReplicaSet", "controller": True}]}
        return {"metadata": metadata, "spec": {"nodeName": "a"}, "status": {"phase": "Running"}}

    def _evict(self, name, body):
        self.log.append("evict %s" % name)
        assert body["deleteOptions"] == {"preconditions": {"uid": self.pods[(name, "a")]}}
        if self.answers:
            return self.answers.pop(0)
        # Its controller makes it again, under the same name and in spite of the cordon.
        self.pods[(name, "a")] += "-again"
        return Answer(201, {"status": "Success"})


def drain(cluster, **more):
    return drained(connection(cluster, retry_for=30.0)[0], connection(cluster, retry_for=0.0)[0], dict(PARAMS, **more), False)


def test_a_refused_eviction_is_tried_until_it_works_and_a_pod_made_again_is_another_one():
    cluster = Cluster({("p", "a"): "1"}, [answer(429, TOO_MANY), OSError("connection reset"), answer(503)])
    result = drain(cluster)
    assert sorted(cluster.log[:2]) == ["cordon a", "cordon b"] and cluster.log[2:] == ["evict p"] * 4
    assert result["changed"] and cluster.pods == {("p", "a"): "1-again"}


# The answer to the first eviction, whether the nodes were cordoned before, and whether something was changed.
CHANGED = {"nothing was": (429, True, False), "the cordon was": (429, False, True), "a pod was evicted": (201, True, True)}


@pytest.mark.parametrize("first, cordoned, changed", CHANGED.values(), ids=CHANGED)
def test_a_drain_that_fails_says_whether_it_changed_something(first, cordoned, changed):
    cluster = Cluster({("p", "a"): "1", ("q", "a"): "2"}, [answer(first)] + [answer(429)] * 9, unschedulable=cordoned)
    with pytest.raises(GpuOpsError) as failure:
        drain(cluster, timeout=0.0, concurrency=1)
    details = failure.value.details
    assert details["changed"] is changed and [each["uid"] for each in details["left"]] == ["1", "2"]
    assert details["pods"] and details["nodes"] and details["diff"]


def test_pods_of_a_node_that_comes_later_are_left_too():
    class Both(Cluster):
        def _pod(self, name, uid):
            pod = super()._pod(name, uid)
            pod["spec"]["nodeName"] = {"p": "a", "q": "b"}[name]
            return pod

    with pytest.raises(GpuOpsError) as failure:
        drain(Both({("p", "a"): "1", ("q", "b"): "2"}, [answer(429)] * 9), timeout=0.0)
    assert [(each["uid"], each["reason"].partition(":")[0]) for each in failure.value.details["left"]][1] == ("2", "not evicted yet")


def test_an_api_server_that_is_away_is_waited_for():
    cluster = Cluster(script=[OSError("connection refused"), answer(503), OSError("connection refused")])
    result = maintenance.ready(connection(cluster, retry_for=0.0)[0], dict(PARAMS, concurrency=1), False)
    assert [row["ready"] for row in result["nodes"]] == [True, True] and cluster.script == []


def test_an_api_server_that_stays_away_is_told_and_all_nodes_are_left():
    with pytest.raises(GpuOpsError, match="The last look failed: The API server .* cannot be reached") as failure:
        maintenance.ready(connection(lambda *request: OSError("connection refused"), retry_for=0.0)[0], dict(PARAMS, timeout=0.0), False)
    assert [each["node"] for each in failure.value.details["left"]] == ["a", "b"]


def test_credentials_that_are_refused_end_the_wait_at_once():
    with pytest.raises(GpuOpsError, match="401"):
        maintenance.ready(connection(lambda *request: answer(401), retry_for=0.0)[0], PARAMS, False)
