# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Write what a maintenance plan says about nodes, where the nodes still are as the plan saw them."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.sharing_objects import Conflict
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.access import Access
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.patch import Write, pointer, write_all
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.maintenance import NodeWrite
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.nodes import NODES


def write_access(writes: t.Sequence[NodeWrite]) -> t.List[Access]:
    """Return the rights that these writes need, and no others."""
    return [Access("patch", "nodes")] if writes else []


def write_nodes(connection: Connection, writes: t.Sequence[NodeWrite], concurrency: int) -> None:
    """Send the changes of each node as one JSON Patch.

    Raises: Conflict when every write that failed met a node that somebody else changed meanwhile; GpuOpsError that names every node whose write
    failed, after all others were written. C(changed) says whether anything was.
    """
    failed = write_all(connection, [Write(write.name, "PATCH", "%s/%s" % (NODES, write.name), node_patch(write)) for write in writes], concurrency)
    if not failed:
        return
    lines = ["%d of %d nodes could not be changed; the others were, and the next run continues:" % (len(failed), len(writes))]
    lines += ["- %s: %s" % (name, failed[name].message) for name in sorted(failed)]
    error = Conflict if all(each.status in (409, 422) for each in failed.values()) else GpuOpsError
    raise error("\n".join(lines), failed=sorted(failed), changed=len(failed) < len(writes))


def node_patch(write: NodeWrite) -> t.List[dict]:
    """Return a JSON Patch that only fits the values that the plan saw.

    A test on resourceVersion would not do: heartbeats change it all the time. The tests come first, because an operation sees what those
    before it did.
    """
    tests, changes = [], []
    for name in write.missing:
        if any(change.path[:2] == ("metadata", name) and change.wanted is not None for change in write.changes):
            # Who made the map first, meanwhile, must not lose what is in it.
            tests.append({"op": "test", "path": "/metadata/" + name, "value": None})
            changes.append({"op": "add", "path": "/metadata/" + name, "value": {}})
    for change in write.changes:
        path = "/" + "/".join(map(pointer, change.path))
        if change.path[1] not in write.missing:
            tests.append({"op": "test", "path": path, "value": change.seen})
        if change.wanted is not None:
            changes.append({"op": "add", "path": path, "value": change.wanted})
        elif change.seen is not None:
            changes.append({"op": "remove", "path": path})
    return tests + changes
