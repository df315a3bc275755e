# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Many small writes at once."""

from __future__ import annotations

import concurrent.futures
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import FIELD_MANAGER, JSON_PATCH, ApiError, Connection


class Write(t.NamedTuple):
    """One request that changes one object, named for the user."""

    name: str
    verb: str
    path: str
    body: t.Any = None
    content_type: str = JSON_PATCH
    query: t.Optional[t.Dict[str, t.Any]] = None


def write_all(connection: Connection, writes: t.Sequence[Write], concurrency: int = 16) -> t.Dict[str, ApiError]:
    """Send all writes, C(concurrency) at a time, and return the error of each one that failed, by name.

    One failure does not stop the others: what can be done is done, and the next run continues.
    """

    def send(write: Write) -> t.Optional[ApiError]:
        query = dict(write.query or {})
        if write.verb == "PATCH":
            query.setdefault("fieldManager", FIELD_MANAGER)
        try:
            connection.request(write.verb, write.path, query, write.body, write.content_type)
        except ApiError as error:
            return error
        return None

    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, min(concurrency, len(writes) or 1))) as pool:
        outcomes = pool.map(send, writes)
        return {write.name: error for write, error in zip(writes, outcomes) if error is not None}


def pointer(key: str) -> str:
    """Escape a map key for a JSON Pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
