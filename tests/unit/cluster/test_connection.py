# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One request: what is sent, what is tried again, and what the user is told."""

from __future__ import annotations

import pytest
import urllib3
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import ApiError, connect
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError

from .fakes import Answer, connection


def test_a_request_carries_credentials_query_and_body():
    server, pool, _unused = connection([Answer(body={"kind": "Node"})])
    assert server.request("PATCH", "/api/v1/nodes/a", {"dryRun": "All"}, {"x": 1}, "application/merge-patch+json") == {"kind": "Node"}
    (sent,) = pool.requests
    assert (sent.verb, sent.url, sent.body) == ("PATCH", "https://10.0.0.1:6443/api/v1/nodes/a?dryRun=All", {"x": 1})
    assert (sent.headers["authorization"], sent.headers["Content-Type"]) == ("Bearer secret", "application/merge-patch+json")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(status):
    server, pool, clock = connection([Answer(status), Answer(status), Answer(body={"ok": True})])
    assert server.request("GET", "/readyz") == {"ok": True}
    assert len(pool.requests) == 3 and clock.now > 0


def test_a_lost_connection_is_tried_again():
    server, pool, _unused = connection([urllib3.exceptions.ProtocolError("reset"), Answer(body={"ok": True})])
    assert server.request("GET", "/readyz") == {"ok": True}


def test_the_server_says_when_to_come_back():
    server, _unused, clock = connection([Answer(429, headers={"Retry-After": "7"}), Answer()])
    server.request("GET", "/readyz")
    assert clock.now == 7.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422])
def test_a_lasting_refusal_is_not_tried_again(status):
    server, pool, _unused = connection([Answer(status, {"reason": "Why", "message": "because"})])
    with pytest.raises(ApiError) as caught:
        server.request("GET", "/api/v1/nodes")
    assert (caught.value.status, caught.value.reason, len(pool.requests)) == (status, "Why", 1)
    assert "because" in caught.value.message and "context lab" in caught.value.message


def test_an_unreachable_server_is_named_with_the_fix():
    server, pool, clock = connection(lambda *request: urllib3.exceptions.NewConnectionError(None, "refused"))
    with pytest.raises(ApiError) as caught:
        server.request("GET", "/readyz")
    assert caught.value.status == 0 and len(pool.requests) > 3 and clock.now <= 30
    assert "https://10.0.0.1:6443 (context lab) cannot be reached" in caught.value.message and "Fix:" in caught.value.message


def test_an_answer_that_breaks_off_is_tried_again():
    broken = Answer(body={"ok": False}, breaks_after=4)
    server, pool, clock = connection([broken, Answer(body={"ok": True})])
    assert server.request("GET", "/api/v1/nodes") == {"ok": True}
    assert len(pool.requests) == 2 and clock.now > 0 and broken.released


def test_a_refusal_that_breaks_off_is_tried_again():
    server, pool, _unused = connection([Answer(404, {"message": "no such node"}, breaks_after=4), Answer(404, {"message": "no such node"})])
    with pytest.raises(ApiError, match="no such node") as caught:
        server.request("GET", "/api/v1/nodes/a")
    assert caught.value.status == 404 and len(pool.requests) == 2


@pytest.mark.parametrize("lost", [urllib3.exceptions.ReadTimeoutError(None, None, "Read timed out."), ConnectionResetError(104, "Connection reset by peer")])
def test_all_that_can_happen_while_a_body_is_read_is_a_lost_answer(lost):
    class Lost(Answer):
        def read(self, amount=None):
            raise lost

    server, _unused, _unused = connection([Lost(), Answer(body={"ok": True})])
    assert server.request("GET", "/api/v1/nodes") == {"ok": True}


def test_answers_that_always_break_off_are_an_error_that_names_server_request_and_fix():
    server, pool, clock = connection(lambda *request: Answer(body={"ok": False}, breaks_after=4))
    with pytest.raises(ApiError) as caught:
        server.request("PATCH", "/api/v1/nodes/a", body=[])
    assert caught.value.status == 0 and len(pool.requests) > 3 and clock.now <= 30
    message = caught.value.message
    assert message.startswith("The API server https://10.0.0.1:6443 (context lab) cannot be reached: PATCH /api/v1/nodes/a: its answer broke off: ")
    assert "Connection broken: IncompleteRead(4 bytes read). Fix: " in message


LOGIN = b"<!DOCTYPE html>\n<html>\n  <title>Sign in</title>"
STRANGE = {
    "a page of a proxy": (200, LOGIN, "text/html", "200 text/html", "'<!DOCTYPE html> <html> <title>Sign in</title>'"),
    "a redirect": (302, b"", "text/html", "302 text/html", "''"),
    "nothing": (200, b"", "", "200", "''"),
    "half of an answer": (200, b'{"kind":"Node","meta', "application/json", "200 application/json", "meta'"),
    "JSON, but no object": (200, b'"welcome"', "application/json", "200 application/json", "'\"welcome\"'"),
    "no text at all": (200, b"\xff\xfe\x00", "application/octet-stream", "200 application/octet-stream", "\ufffd"),
}


@pytest.mark.parametrize("name", sorted(STRANGE))
def test_what_no_api_server_answers_is_told_with_the_fix(name):
    status, body, kind, words, shown = STRANGE[name]
    server, pool, clock = connection(lambda *request: Answer(status, body, {"Content-Type": kind} if kind else {}))
    with pytest.raises(ApiError) as caught:
        server.request("GET", "/api/v1/nodes")
    assert caught.value.status == 0 and len(pool.requests) > 3 and clock.now <= 30
    message = caught.value.message
    assert message.startswith("The server https://10.0.0.1:6443 (context lab) answered GET /api/v1/nodes with %s and no JSON object, " % words), message
    assert shown in message and ". Fix: " in message, message


def test_a_proxy_that_gives_way_to_the_api_server_is_waited_for():
    server, _unused, _unused = connection([Answer(body=b"<html>starting"), Answer(body={"ok": True})])
    assert server.request("GET", "/api/v1/nodes") == {"ok": True}


def test_a_body_that_is_no_json_can_be_fetched_as_it_is():
    server, pool, _unused = connection([Answer(body=b"line 1\nline 2", breaks_after=8), Answer(body=b"line 1\nline 2")])
    assert server.fetch("GET", "/api/v1/namespaces/a/pods/b/log", accept="*/*") == b"line 1\nline 2"
    assert [request.headers["Accept"] for request in pool.requests] == ["*/*", "*/*"]


def test_an_answer_that_is_no_json_is_still_an_error_message():
    server, _unused, _unused = connection([Answer(403, b"<html>proxy says no</html>")])
    with pytest.raises(ApiError, match="proxy says no"):
        server.request("GET", "/readyz")


def test_a_missing_kubeconfig_is_named(tmp_path):
    with pytest.raises(GpuOpsError, match="there is no such file"):
        connect({"kubeconfig": str(tmp_path / "absent"), "context": "lab"})


def test_a_missing_context_is_named_with_those_there_are(tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text("apiVersion: v1\nkind: Config\nclusters: []\nusers: []\ncontexts: [{name: other, context: {cluster: c, user: u}}]\n")
    with pytest.raises(GpuOpsError, match="context 'lab' cannot be used.*it defines: other"):
        connect({"kubeconfig": str(path), "context": "lab"})
