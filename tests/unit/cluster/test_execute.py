# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands inside pods: how a session ended, as server, node and container runtime tell it."""

from __future__ import annotations

import json
import types

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster import execute as plugin
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import ApiError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from kubernetes.client.exceptions import ApiException
from websocket import WebSocketConnectionClosedException


class Session:
    """A websocket that has carried some output and, unless it still does, how the command ended."""

    def __init__(self, told=None, output="", lost=None):
        self.told, self.output, self.lost = told, output, lost
        self.closed = False

    def run_forever(self, timeout):
        if self.lost:
            raise self.lost

    def is_open(self):
        return self.told is None

    def read_channel(self, channel):
        assert channel == 3
        return self.told

    def read_all(self):
        return self.output

    def close(self):
        self.closed = True


def execute(monkeypatch, session):
    def answer(*args, **options):
        if isinstance(session, Exception):
            raise session
        return session

    monkeypatch.setattr(plugin, "stream", answer)
    connection = types.SimpleNamespace(configuration=plugin.kubernetes_client.Configuration())
    return plugin.execute(connection, "gpu", "plugin-1", "ctr", ["nvidia-smi", "-L"], 5.0)


def failed(message, reason="InternalError", code=500, cause=None):
    causes = [dict({"message": message}, **({"reason": cause} if cause else {}))]
    return json.dumps({"status": "Failure", "message": message, "reason": reason, "code": code, "details": {"causes": causes}})


def test_exit_code_and_output_are_returned(monkeypatch):
    session = Session('{"metadata":{},"status":"Success"}', "GPU 0: T4\n")
    assert execute(monkeypatch, session) == (0, "GPU 0: T4\n") and session.closed


def test_another_exit_code_is_one_too(monkeypatch):
    message = "command terminated with non-zero exit code: exit status 9"
    told = {"status": "Failure", "message": message, "reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": "9"}]}}
    assert execute(monkeypatch, Session(json.dumps(told), "no driver\n")) == (9, "no driver\n")


UNCLEAR = {
    "a kubelet without exec": (failed("unable to upgrade connection: Debug endpoints are disabled."), "Debug endpoints are disabled."),
    "no such program": (failed("error executing command: exec: nvidia-smi: executable file not found in $PATH"), "not found in $PATH"),
    "a number that is no exit code": (failed("500"), "500"),
    "no causes": ('{"status":"Failure","message":"container not found"}', "container not found"),
    "an exit code that is no number": (failed("many", cause="ExitCode"), "many"),
    "nothing at all": ("", "the connection ended before the command did"),
    "something else": ("[1]", "[1]"),
    "no JSON": ("out of memory", "out of memory"),
}


@pytest.mark.parametrize("told, words", UNCLEAR.values(), ids=UNCLEAR)
def test_what_is_no_exit_code_is_an_error_that_says_what_was_told(monkeypatch, told, words):
    session = Session(told, "half a line")
    with pytest.raises(ApiError) as caught:
        execute(monkeypatch, session)
    assert caught.value.message.startswith("exec in pod gpu/plugin-1: ") and words in caught.value.message
    assert caught.value.reason == "ExecFailed" and caught.value.details["output"] == "half a line" and session.closed


@pytest.mark.parametrize("lost", [WebSocketConnectionClosedException("Connection to remote host was lost."), ConnectionResetError("reset by peer")])
def test_a_lost_connection_is_an_error_that_says_so(monkeypatch, lost):
    session = Session(lost=lost)
    with pytest.raises(ApiError, match="exec in pod gpu/plugin-1: the connection was lost: .*(lost|reset by peer)"):
        execute(monkeypatch, session)
    assert session.closed


def test_a_command_that_does_not_end_is_named(monkeypatch):
    with pytest.raises(GpuOpsError, match="nvidia-smi -L has not ended after 5 s"):
        execute(monkeypatch, Session())


def test_a_server_that_refuses_is_quoted(monkeypatch):
    with pytest.raises(ApiError, match="exec in pod gpu/plugin-1: Forbidden") as caught:
        execute(monkeypatch, ApiException(status=403, reason="Forbidden"))
    assert caught.value.status == 403
