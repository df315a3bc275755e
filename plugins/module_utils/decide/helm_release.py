# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""What a Helm release needs before it can be upgraded: the right helm, and nothing, time, or a repair. No I/O, no clock."""

from __future__ import annotations

import datetime
import re
import typing as t

PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
# A revision with one of these was installed as a whole once.
SUCCEEDED = ("deployed", "superseded")
SOUND = ("deployed", "uninstalled")

# Charts by oci:// came with 3.8; kubernetes.core drives helm 3.
OLDEST_HELM, TOO_NEW_HELM = (3, 8), (4, 0)


class Repair(t.NamedTuple):
    """C(action): none, wait (another Helm may be at work), rollback (to C(revision)) or uninstall; C(reason) for the user."""

    action: str
    status: str
    revision: int
    reason: str


def repair(history: t.Sequence[dict], missing: t.Sequence[str], now: float, grace: float) -> Repair:
    """Return what has to be done before a release may be upgraded.

    Helm itself goes on over a failed release, and kubernetes.core.helm calls it unchanged when the values are the same, even when
    objects are missing.

    :param history: what C(helm history --output json) prints; empty without a release.
    :param missing: objects of the release's manifest that the cluster does not have.
    :param now: seconds since the epoch.
    :param grace: seconds for which a pending release may be another Helm at work.
    """
    if not history:
        return Repair("none", "absent", 0, "")
    ordered = sorted(history, key=lambda revision: int(revision["revision"]))
    last = ordered[-1]
    status, number = last["status"], int(last["revision"])
    good = [int(revision["revision"]) for revision in ordered if revision["status"] in SUCCEEDED]
    if status in SOUND and not (missing and status == "deployed"):
        return Repair("none", status, number, "")
    if status == "deployed":
        return Repair("rollback", status, number, "objects of revision %d are missing: %s" % (number, ", ".join(missing)))
    if status in PENDING and now - _seconds(last.get("updated", "")) < grace:
        return Repair("wait", status, number, "revision %d is %s since %s: another Helm may be at work" % (number, status, last.get("updated")))
    what = "revision %d is %s (%s)" % (number, status, " ".join((last.get("description") or "no description").split())[:300])
    if status == "uninstalling" or not good:
        return Repair("uninstall", status, number, what + ("" if good else ", and no revision was ever installed as a whole"))
    deployed = [int(revision["revision"]) for revision in ordered if revision["status"] == "deployed"]
    return Repair("rollback", status, max(deployed or good), what)


def version_problem(shown: str) -> str:
    """Return why a helm cannot be used, empty for one that can.

    :param shown: what C(helm version --short) printed; empty when it could not be run.
    """
    found = re.search(r"(\d+)\.(\d+)", shown)
    if found and OLDEST_HELM <= (int(found.group(1)), int(found.group(2))) < TOO_NEW_HELM:
        return ""
    return "found %s, and helm 3.8 or newer is needed, but not 4" % (" ".join(shown.split())[:100] or "no helm")


def missing_objects(outcome: t.Any) -> t.List[str]:
    """Return kind and name of each object that C(kubernetes.core.k8s), in check mode, would create.

    :param outcome: the module's result for one or more definitions; anything without one means none.
    """
    result = outcome.get("result") if isinstance(outcome, dict) else None
    each = (result or {}).get("results", [outcome])
    names = []
    for one in each if result else []:
        if one.get("method") == "create":
            metadata = one["result"]["metadata"]
            where = metadata["namespace"] + "/" if metadata.get("namespace") else ""
            names.append("%s %s%s" % (one["result"]["kind"], where, metadata["name"]))
    return names


def _seconds(moment: str) -> float:
    """Return seconds since the epoch of a Helm time stamp (RFC 3339 with up to nine decimals); 0 when there is none."""
    found = re.match(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)? ?(Z|UTC|[+-]\d\d:?\d\d)?", moment or "")
    if not found:
        return 0.0
    date, clock, zone = found.groups()
    zone = "+0000" if zone in (None, "Z", "UTC") else zone.replace(":", "")
    return datetime.datetime.strptime("%s %s %s" % (date, clock, zone), "%Y-%m-%d %H:%M:%S %z").timestamp()
