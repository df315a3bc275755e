# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Long lists, page by page: the next page loads while this one is parsed."""

from __future__ import annotations

import concurrent.futures
import re
import threading
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import ApiError, Connection, NoObject, parse

PAGE = 250
# The server writes a list's metadata before its items: the token of the next page is in the first bytes.
_TOKEN = re.compile(rb'"continue":"([^"]+)"')
_HEAD = 2048


class _Page:
    """One page on its way: its token is known long before its body."""

    def __init__(self, connection: Connection, path: str, query: t.Dict[str, t.Any], token: str) -> None:
        self._connection, self._path = connection, path
        self._query = dict(query, **({"continue": token} if token else {}))
        self._head_read = threading.Event()
        self._token = ""

    def load(self) -> bytes:
        try:
            return self._connection.fetch("GET", self._path, self._query, take=self._take)
        finally:
            self._head_read.set()

    def _take(self, response: t.Any) -> bytes:
        try:
            head = response.read(_HEAD)
            found = _TOKEN.search(head.split(b'"items":', 1)[0])
            self._token = found.group(1).decode() if found else ""
            self._head_read.set()
            return head + response.read()
        finally:
            response.release_conn()

    def parsed(self, body: bytes) -> dict:
        try:
            return parse(body)
        except NoObject:
            return self._connection.request("GET", self._path, self._query)

    def token(self) -> str:
        self._head_read.wait()
        return self._token


def each_page(connection: Connection, path: str, query: t.Optional[t.Dict[str, t.Any]] = None, limit: int = PAGE) -> t.Iterator[dict]:
    """Yield the parsed pages of a list.

    Raises: ApiError, with status 410 when the list outlived the server's history.
    """
    query = dict(query or {}, limit=limit)
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        page: t.Optional[_Page] = _Page(connection, path, query, "")
        loading = pool.submit(page.load)
        while page is not None:
            token = page.token()
            following = _Page(connection, path, query, token) if token else None
            next_loading = pool.submit(following.load) if following else None
            parsed = page.parsed(loading.result())
            real = (parsed.get("metadata") or {}).get("continue") or ""
            if real != token:
                # An aggregated API may put its metadata last, and a first page that was read again is one of a later snapshot.
                following = _Page(connection, path, query, real) if real else None
                next_loading = pool.submit(following.load) if following else None
            yield parsed
            page, loading = following, next_loading


def list_items(
    connection: Connection,
    path: str,
    query: t.Optional[t.Dict[str, t.Any]] = None,
    reduce: t.Callable[[dict], t.Any] = lambda item: item,
    limit: int = PAGE,
) -> t.List[t.Any]:
    """Return C(reduce(item)) of each item; what is reduced to None is left out.

    A list that expires half way (410) is read once more from the start.
    """
    for last in (False, True):
        found: t.List[t.Any] = []
        try:
            for page in each_page(connection, path, query, limit):
                found += [kept for kept in map(reduce, page.get("items") or []) if kept is not None]
            return found
        except ApiError as error:
            if error.status != 410 or last:
                raise
    return found
