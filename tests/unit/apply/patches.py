# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON Patches as the API server applies them."""

from __future__ import annotations

import jsonpatch
import jsonpointer


def applied(node, patch):
    """Return the node with the patch applied.

    For the server (evanphx/json-patch) a test for null fits what is not there; the package jsonpatch has no such rule.
    """
    for operation in patch:
        nothing = operation["op"] == "test" and operation["value"] is None
        if not (nothing and jsonpointer.resolve_pointer(node, operation["path"], None) is None):
            node = jsonpatch.apply_patch(node, [operation])
    return node
