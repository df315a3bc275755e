# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real transport over real sockets: what it makes of a server that dies while it answers is what the connection expects."""

from __future__ import annotations

import socket
import threading
import types

import pytest
import urllib3
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import ApiError, Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.pages import list_items

from .fakes import Clock

WHOLE = b'{"kind":"List","metadata":{},"items":[{"name":"a"}]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FINE = HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(WHOLE), WHOLE)
LOST = {
    "before the status": b"",
    "in the headers": b"HTTP/1.1 200 OK\r\nContent-Ty",
    "after the headers": HEAD + b"Content-Length: %d\r\n\r\n" % len(WHOLE),
    "in a body of known length": HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(WHOLE), WHOLE[:9]),
    "between chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n%s\r\n" % WHOLE[:9],
    "in a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n%s" % WHOLE[:9],
    "in a body of unknown length": HEAD + b"Connection: close\r\n\r\n" + WHOLE[:9],
    "in a refusal": b"HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\n{",
    "on its way to a login page": b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
}


@pytest.fixture
def serve():
    """Return serve(answers): a connection to a server that sends these bytes, one entry for each connection, and hangs up after each."""
    ended = []

    def start(answers, retry_for=30.0):
        listener = socket.create_server(("127.0.0.1", 0))

        def work():
            for answer in answers:
                client = listener.accept()[0]
                with client:
                    while not client.recv(65536).endswith(b"\r\n\r\n"):
                        pass
                    client.sendall(answer)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        ended.append((listener, thread))
        configuration = types.SimpleNamespace(host="http://127.0.0.1:%d" % listener.getsockname()[1], auth_settings=dict)
        client = types.SimpleNamespace(configuration=configuration, rest_client=types.SimpleNamespace(pool_manager=urllib3.PoolManager()))
        return Connection(client, "context lab", retry_for, Clock())

    yield start
    for listener, thread in ended:
        thread.join(10)
        listener.close()
        assert not thread.is_alive(), "not all answers were asked for"


@pytest.mark.parametrize("where", sorted(LOST))
def test_a_lost_answer_is_asked_for_again(serve, where):
    assert serve([LOST[where], FINE]).request("GET", "/api/v1/nodes")["kind"] == "List"


@pytest.mark.parametrize("where", sorted(LOST))
def test_a_lost_page_is_asked_for_again(serve, where):
    assert list_items(serve([LOST[where], FINE]), "/api/v1/nodes") == [{"name": "a"}]


@pytest.mark.parametrize("where", sorted(LOST))
def test_a_lost_answer_is_an_error_of_the_api_where_nothing_is_tried_again(serve, where):
    with pytest.raises(ApiError) as caught:
        serve([LOST[where]], retry_for=0.0).request("GET", "/api/v1/nodes")
    assert caught.value.status == 0 and "Fix: " in caught.value.message
