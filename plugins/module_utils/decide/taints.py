# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Taints and tolerations, by the scheduler's rules. No I/O."""

from __future__ import annotations

import typing as t


def tolerates(toleration: dict, taint: dict) -> bool:
    """Tell whether a toleration fits a taint."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def keeping_out(taints: t.Sequence[dict], tolerations: t.Sequence[dict]) -> t.Optional[dict]:
    """Return the first taint that keeps a pod with these tolerations off a node, or None."""
    for taint in taints:
        if taint["effect"] != "PreferNoSchedule" and not any(tolerates(toleration, taint) for toleration in tolerations):
            return taint
    return None


def shown(taint: dict) -> str:
    """Return a taint as kubectl writes it."""
    return "%s=%s:%s" % (taint["key"], taint.get("value", ""), taint["effect"])
