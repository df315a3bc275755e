# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator's I/O against a scripted API server."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.client import ApiError
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator import engine as engines, node as nodes, settings
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator.components import PLUGIN

from . import objects

SETTINGS = settings.Settings(None, "https://127.0.0.1:1", "token", None, "ours", (0.0, 0.0))
MARKER = {"data": {"instance": "ours"}}


class Server:
    """An API server that plays its parts in order and writes down what it was asked."""

    def __init__(self, watches=(), objects=None):
        self.watches = list(watches)
        self.objects = dict(objects or {})
        self.asked = []
        self.engine = None

    def list_pages(self, path, query=None):
        self.asked.append(("list", path))
        yield {"metadata": {"resourceVersion": "7"}, "items": []}

    def watch(self, path, version, query=None):
        self.asked.append(("watch", version))
        if not self.watches:
            self.engine.stop()
            return
        part = self.watches.pop(0)
        if isinstance(part, Exception):
            raise part
        yield from part

    def request(self, method, path, body=None, content_type=None, query=None):
        self.asked.append((method, path) if body is None else (method, path, body))
        if method == "GET":
            if path not in self.objects:
                raise ApiError(404, "NotFound", path)
            return self.objects[path]
        return {"metadata": {"name": "n1", "uid": "uid-n1", "namespace": "d", "resourceVersion": "9"}, "spec": {}}


def engine_on(server):
    engine = engines.Engine(SETTINGS, log=lambda text: None, client=server)
    engine._random.random = lambda: -0.2  # no wait between two attempts
    server.engine = engine
    return engine


def event(version, kind="MODIFIED"):
    return {"type": kind, "object": {"metadata": {"resourceVersion": version}}}


@pytest.mark.parametrize(
    "watches, asked",
    [
        # the server ends a watch after some minutes: go on where it stopped
        ([[event("8"), event("9")], []], ["list", "7", "9", "9"]),
        ([[event("8", "BOOKMARK")]], ["list", "7", "8"]),
        # a server that went away still knows the place
        ([[event("8")], ApiError(0, "Unreachable", "")], ["list", "7", "8", "8"]),
        # a place that is forgotten: from the start
        ([[event("8")], ApiError(410, "Expired", "")], ["list", "7", "8", "list", "7"]),
        ([ApiError(500, "InternalError", "")], ["list", "7", "list", "7"]),
    ],
)
def test_a_watch_goes_on(watches, asked):
    server = Server(watches)
    seen = []
    engine_on(server)._follow("/things", None, list, lambda kind, item: seen.append(kind))
    assert [each[0] if each[0] == "list" else each[1] for each in server.asked] == asked
    assert "BOOKMARK" not in seen


def test_an_object_that_cannot_be_understood_starts_the_watch_anew(monkeypatch):
    server = Server([[{"type": "ADDED"}]])
    engine = engine_on(server)
    monkeypatch.setattr(engine._stop, "wait", lambda seconds: None)
    engine._follow("/things", None, list, lambda kind, item: None)
    assert [each[0] for each in server.asked] == ["list", "watch", "list", "watch"]


def test_another_cluster_ends_the_simulator():
    server = Server(objects={engines._MARKER: {"data": {"instance": "theirs"}}})
    with pytest.raises(engines.NotOurs, match="is instance theirs of a testbed, not ours"):
        engine_on(server).run()
    assert [each[0] for each in server.asked] == ["GET"], "nothing is written, nothing is even listed"


def test_another_cluster_on_the_port_after_a_break():
    server = Server(objects={engines._MARKER: {"data": {"instance": "theirs"}}})
    engine = engine_on(server)
    engine._follow("/api/v1/nodes", None, engine._replace_nodes, None)
    assert isinstance(engine.failure, engines.NotOurs)


def plugin_pod(**status):
    pod = objects.component(PLUGIN)
    pod["status"].update(status)
    return pod


PATH = "/api/v1/namespaces/%s/pods/p1" % objects.NAMESPACE
CRASH = ("Running", "False", (("nvidia-device-plugin-ctr", False, 1, "waiting", "CrashLoopBackOff", "back-off", "last words"),))


@pytest.mark.parametrize(
    "kind, content, status, written",
    [
        (nodes.STATUS, CRASH, {}, True),
        (nodes.REJECT, "no", {}, True),
        (nodes.REJECT, "no", {"phase": "Failed"}, False),
        # KWOK was faster: the pod runs, and to let it go again would stop it
        (nodes.RELEASE, None, {}, False),
        (nodes.RELEASE, None, {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ContainerCreating"}}}]}, True),
    ],
)
def test_a_pod_is_written_by_what_it_is_now(kind, content, status, written):
    server = Server(objects={PATH: plugin_pod(**status)})
    engine = engine_on(server)
    engine._write_pod(nodes.PodWrite(objects.view(objects.component(PLUGIN)), kind, content))
    patches = [each for each in server.asked if each[0] == "PATCH"]
    assert bool(patches) is written
    assert all(each[2]["metadata"] == {"uid": "uid-p1"} for each in patches)
    told = [each[2]["reason"] for each in server.asked if each[0] == "POST"]
    assert told == {nodes.STATUS: ["BackOff"], nodes.REJECT: ["UnexpectedAdmissionError"], nodes.RELEASE: []}[kind][: len(patches)]


def test_a_pod_of_the_same_name_is_another_pod():
    pod = plugin_pod()
    pod["metadata"]["uid"] = "other"
    server = Server(objects={PATH: pod})
    engine_on(server)._write_pod(nodes.PodWrite(objects.view(objects.component(PLUGIN)), nodes.STATUS, CRASH))
    assert [each[0] for each in server.asked] == ["GET"]


def test_a_pod_that_is_gone_is_no_error():
    server = Server()
    engine_on(server)._write_pod(nodes.PodWrite(objects.view(objects.component(PLUGIN)), nodes.STATUS, CRASH))
    assert [each[0] for each in server.asked] == ["GET"]


def test_an_event_is_told_once():
    server = Server(objects={PATH: plugin_pod()})
    engine = engine_on(server)
    write = nodes.PodWrite(objects.view(objects.component(PLUGIN)), nodes.STATUS, CRASH)
    for unused in range(3):
        engine._write_pod(write)
    assert [each[0] for each in server.asked].count("POST") == 1


def test_a_node_is_written_once_for_what_differs():
    server = Server()
    engine = engine_on(server)
    engine._store.replace_nodes([objects.node_object()])
    engine._store.replace_pods([dict(objects.component(PLUGIN, config_map=None))])
    engine._settle("n1")
    path, patch = server.asked[-1][1:]
    assert (path, patch) == (
        "/api/v1/nodes/n1/status",
        {
            "status": {"capacity": {"nvidia.com/gpu": "2"}, "allocatable": {"nvidia.com/gpu": "2"}},
            "metadata": {"uid": "uid-n1"},
        },
    )
    assert len(server.asked) == 1
