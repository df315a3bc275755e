# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scripted transport: what the Python client would answer, and a clock that only moves when somebody sleeps."""

from __future__ import annotations

import io
import json
import types

import urllib3
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import Connection


class Clock:
    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


class Answer:
    """One answer; with C(breaks_after) the connection is lost once that many bytes of the body were read."""

    def __init__(self, status=200, body=None, headers=None, breaks_after=None):
        self.status, self.headers = status, headers or {}
        self._stream = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body or {}, separators=(",", ":")).encode())
        self._breaks_after = breaks_after
        self.released = False

    def read(self, amount=None):
        data = self._stream.read(amount)
        if self._breaks_after is not None and self._stream.tell() > self._breaks_after:
            reason = "Connection broken: IncompleteRead(%d bytes read)" % self._breaks_after
            raise urllib3.exceptions.ProtocolError(reason, OSError(reason))
        return data

    def release_conn(self):
        self.released = True


class Pool:
    """Answers requests with C(handler(verb, url, body)), or with a list of answers in order; exceptions are raised."""

    def __init__(self, handler):
        self._handler = handler
        self.requests = []

    def request(self, verb, url, body=None, headers=None, **more):
        self.requests.append(types.SimpleNamespace(verb=verb, url=url, body=json.loads(body) if body else None, headers=headers))
        answer = self._handler(verb, url, body) if callable(self._handler) else self._handler.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def connection(handler, retry_for=30.0):
    """Return a connection to a scripted server, its pool and its clock."""
    pool, clock = Pool(handler), Clock()
    settings = {"BearerToken": {"in": "header", "key": "authorization", "value": "Bearer secret"}}
    configuration = types.SimpleNamespace(host="https://10.0.0.1:6443/", auth_settings=lambda: settings)
    client = types.SimpleNamespace(configuration=configuration, rest_client=types.SimpleNamespace(pool_manager=pool))
    return Connection(client, "context lab", retry_for, clock), pool, clock
