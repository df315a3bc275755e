# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many writes: one failure does not stop the others, and each is named."""

from __future__ import annotations

from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.access import Access, missing_access
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.patch import Write, pointer, write_all

from .fakes import Answer, connection


def test_each_failure_is_returned_by_name_and_the_rest_is_written():
    server, pool, _unused = connection(lambda verb, url, body: Answer(422, {"message": "test failed"}) if "/n3" in url else Answer())
    failed = write_all(server, [Write("n%d" % i, "PATCH", "/api/v1/nodes/n%d" % i, []) for i in range(8)], concurrency=4)
    assert {name: error.status for name, error in failed.items()} == {"n3": 422}
    assert len(pool.requests) == 8 and all("fieldManager=gpuops" in request.url for request in pool.requests)


def test_an_answer_that_never_comes_whole_is_the_failure_of_its_own_object():
    server, _unused, _unused = connection(lambda verb, url, body: Answer(body={"kind": "Node"}, breaks_after=3) if "/n3" in url else Answer())
    failed = write_all(server, [Write("n%d" % i, "PATCH", "/api/v1/nodes/n%d" % i, []) for i in range(8)], concurrency=4)
    assert {name: error.status for name, error in failed.items()} == {"n3": 0}
    assert "PATCH /api/v1/nodes/n3" in failed["n3"].message


def test_a_write_whose_answer_got_lost_is_sent_again_and_may_meet_its_own_effect():
    answers = [Answer(body={"kind": "Pod"}, breaks_after=3), Answer(409, {"reason": "AlreadyExists", "message": "there already"})]
    server, pool, _unused = connection(answers)
    failed = write_all(server, [Write("a", "POST", "/api/v1/namespaces/x/pods", {"kind": "Pod"}, "application/json")])
    assert {name: error.status for name, error in failed.items()} == {"a": 409}
    assert [request.body for request in pool.requests] == [{"kind": "Pod"}] * 2


def test_no_writes_are_no_requests():
    server, pool, _unused = connection([])
    assert write_all(server, []) == {} and pool.requests == []


def test_a_map_key_is_escaped_for_a_json_pointer():
    assert pointer("gpuops.kubernetes/a~b") == "gpuops.kubernetes~1a~0b"


def test_each_missing_right_is_a_refusal():
    def review(verb, url, body):
        return Answer(body={"status": {"allowed": b'"nodes"' not in body}})

    server, _unused, _unused = connection(review)
    (problem,) = missing_access(server, [Access("patch", "nodes"), Access("patch", "configmaps", namespace="gpu")])
    assert "patch nodes in the whole cluster" in problem.text() and "fix:" in problem.text()
