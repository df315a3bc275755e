# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""What the Node object of a host says about it. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.maintenance import CORDONED

Node = t.Optional[t.Dict[str, t.Any]]
ANNOTATIONS = "gpuops.kubernetes/"


def is_ready(node: Node, version: str) -> bool:
    """Return whether a node is Ready and tells the version. C(node) is None where the API could not be had."""
    if not node:
        return False
    ready = [condition["status"] for condition in node["status"].get("conditions", []) if condition["type"] == "Ready"]
    return ready == ["True"] and node["status"]["nodeInfo"]["kubeletVersion"] == version


def carried(node: Node) -> t.Dict[str, t.Any]:
    """Return labels and taints of a node and our notes about them; an empty map where it is not known."""
    if not node:
        return {}
    metadata = node["metadata"]
    notes = {key: text for key, text in (metadata.get("annotations") or {}).items() if key.startswith(ANNOTATIONS)}
    return {"labels": metadata.get("labels") or {}, "taints": node.get("spec", {}).get("taints") or [], "annotations": notes}


def drain_reason(distribution: str, causes: t.Sequence[str]) -> str:
    """Return what a drain before a restart gives as its reason."""
    return "%s restarts: %s" % (distribution, ", ".join(causes))


def is_drained(node: Node, distribution: str) -> bool:
    """Return whether a node is cordoned by a drain before a restart, of this run or of one that was ended before its end."""
    annotations = (node or {}).get("metadata", {}).get("annotations") or {}
    return annotations.get(CORDONED, "").startswith(drain_reason(distribution, []))
