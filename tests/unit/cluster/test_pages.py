# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paged lists: every page once, in order, the next asked for before this one is parsed."""

from __future__ import annotations

import json
import urllib.parse

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster import pages
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import ApiError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.pages import list_items

from .fakes import Answer, connection


def page(items, token=None, metadata_last=False, **more):
    metadata = {"resourceVersion": "7", **({"continue": token} if token else {})}
    items = [{"metadata": {"name": name}} for name in items]
    body = {"kind": "List", "items": items, "metadata": metadata} if metadata_last else {"kind": "List", "metadata": metadata, "items": items}
    return Answer(body=json.dumps(body, separators=(",", ":")).encode(), **more)


def by_token(answers):
    """Return a handler that gives each page its answers in order: pages that load side by side ask in any order."""
    return lambda verb, url, body: answers[dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query)).get("continue", "")].pop(0)


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


@pytest.fixture
def small_head(monkeypatch):
    """Have the pages of these tests reach behind their head, as real ones do."""
    monkeypatch.setattr(pages, "_HEAD", 70)


@pytest.mark.parametrize("breaks_after", [0, 75], ids=["in its head", "behind its head"])
@pytest.mark.parametrize("broken", ["", "t1", "t2"], ids=["first", "middle", "last"])
def test_a_page_that_breaks_off_is_read_again(small_head, broken, breaks_after):
    answers = {"": [page("ab", "t1")], "t1": [page("cd", "t2")], "t2": [page("ef")]}
    token = {"": "t1", "t1": "t2", "t2": None}[broken]
    answers[broken].insert(0, page("xy", token, breaks_after=breaks_after))
    server, pool, _unused = connection(by_token(answers))
    assert names(server) == list("abcdef")
    assert sorted(query(request).get("continue", "") for request in pool.requests) == sorted(["", "t1", "t2", broken])


def test_a_first_page_that_was_read_again_is_followed_by_its_own_next_page(small_head):
    answers = {"": [page("xy", "old", breaks_after=75), page("ab", "new")], "old": [page("z")], "new": [page("cd")]}
    server, _unused, _unused = connection(by_token(answers))
    assert names(server) == list("abcd")


def test_a_page_that_always_breaks_off_is_an_error(small_head):
    server, _unused, _unused = connection(lambda verb, url, body: page("cd", breaks_after=75) if "continue" in url else page("ab", "t1"))
    with pytest.raises(ApiError, match="GET /api/v1/nodes: its answer broke off: ") as caught:
        names(server)
    assert caught.value.status == 0


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"kind":"List","metadata":{},"items":[{"meta', b"[]"])
def test_a_page_that_is_no_list_is_read_again(body):
    server, pool, _unused = connection([Answer(body=body), page("ab")])
    assert names(server) == ["a", "b"] and len(pool.requests) == 2


def test_pages_of_a_proxy_are_an_error():
    server, _unused, _unused = connection(lambda *request: Answer(body=b"<html>Sign in", headers={"Content-Type": "text/html"}))
    with pytest.raises(ApiError, match="answered GET /api/v1/nodes with 200 text/html and no JSON object, '<html>Sign in'"):
        names(server)


def test_what_is_reduced_to_none_is_left_out():
    server, _unused, _unused = connection([page("abc")])
    assert list_items(server, "/api/v1/nodes", reduce=lambda item: None if item["metadata"]["name"] == "b" else 1) == [1, 1]


def test_an_empty_list_is_empty():
    server, _unused, _unused = connection([Answer(body=b'{"kind":"List","metadata":{},"items":null}')])
    assert names(server) == []
