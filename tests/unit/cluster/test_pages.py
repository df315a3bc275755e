# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paged lists: every page once, in order, the next asked for before this one is parsed."""

from __future__ import annotations

import json
import urllib.parse

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import ApiError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.pages import list_items

from .fakes import Answer, connection


def page(items, token=None, metadata_last=False):
    metadata = {"resourceVersion": "7", **({"continue": token} if token else {})}
    items = [{"metadata": {"name": name}} for name in items]
    body = {"kind": "List", "items": items, "metadata": metadata} if metadata_last else {"kind": "List", "metadata": metadata, "items": items}
    return Answer(body=json.dumps(body, separators=(",", ":")).encode())


def names(server, **more):
    return list_items(server, "/api/v1/nodes", reduce=lambda item: item["metadata"]["name"], **more)


def query(request):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.url).query))


def test_all_pages_come_in_order():
    server, pool, _unused = connection([page("ab", "t1"), page("cd", "t2"), page("e")])
    assert names(server, limit=2, query={"labelSelector": "x=y"}) == list("abcde")
    assert [query(request).get("continue") for request in pool.requests] == [None, "t1", "t2"]
    assert all(query(request)["labelSelector"] == "x=y" and query(request)["limit"] == "2" for request in pool.requests)


def test_a_token_among_the_items_is_not_taken_for_the_lists():
    body = b'{"kind":"List","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a","annotations":{"x":"y"}},"continue":"no"}]}'
    server, pool, _unused = connection([Answer(body=body)])
    assert names(server) == ["a"] and len(pool.requests) == 1


def test_metadata_behind_the_items_is_found_too():
    server, _unused, _unused = connection([page("a", "t1", metadata_last=True), page("b", metadata_last=True)])
    assert names(server) == ["a", "b"]


def test_an_expired_list_is_read_once_more_from_the_start():
    gone = {"reason": "Expired", "message": "too old"}
    server, pool, _unused = connection([page("a", "t1"), Answer(410, gone), page("a", "t2"), page("b")])
    assert names(server) == ["a", "b"] and len(pool.requests) == 4


def test_a_list_that_expires_again_fails():
    server, _unused, _unused = connection(lambda *request: page("a", "t") if "continue" not in request[1] else Answer(410, {"message": "too old"}))
    with pytest.raises(ApiError) as caught:
        names(server)
    assert caught.value.status == 410


def test_what_is_reduced_to_none_is_left_out():
    server, _unused, _unused = connection([page("abc")])
    assert list_items(server, "/api/v1/nodes", reduce=lambda item: None if item["metadata"]["name"] == "b" else 1) == [1, 1]


def test_an_empty_list_is_empty():
    server, _unused, _unused = connection([Answer(body=b'{"kind":"List","metadata":{},"items":null}')])
    assert names(server) == []
