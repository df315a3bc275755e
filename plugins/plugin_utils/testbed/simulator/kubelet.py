# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The extended resources that kubelet reports for device plugins; pure.

Source: Kubernetes 1.36, pkg/kubelet/cm/devicemanager (GetCapacity, endpointStopGracePeriod) and nodestatus/setters.go:
a plugin that stops leaves its devices in capacity but not in allocatable, and five minutes later both say 0.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

GRACE = 300.0
PREFIX = "nvidia.com/"


class Endpoint(NamedTuple):
    """A resource that a device plugin has registered."""

    count: int
    stopped_at: Optional[float] = None


def recovered(capacity, now):
    """Return the endpoints of a node whose kubelet starts: what it reported before stands as stopped."""
    return {name: Endpoint(int(count), now) for name, count in capacity.items() if name.startswith(PREFIX) and int(count) > 0}


def after(endpoints, serving, now, grace):
    """Return the endpoints once these resources (name -> devices) are served; expired ones are left out."""
    result = {}
    for name, endpoint in endpoints.items():
        if name in serving:
            continue
        stopped = endpoint if endpoint.stopped_at is not None else endpoint._replace(stopped_at=now)
        if now - stopped.stopped_at < grace:
            result[name] = stopped
    result.update((name, Endpoint(count)) for name, count in serving.items())
    return result


def next_event(endpoints, grace):
    """Return when the next stopped endpoint expires, or None."""
    return min((each.stopped_at + grace for each in endpoints.values() if each.stopped_at is not None), default=None)


def status_patch(endpoints, capacity, allocatable):
    """Return what has to change in a node's capacity and allocatable, or None."""
    wanted = {"capacity": {}, "allocatable": {}}
    for name in set(endpoints) | {each for each in list(capacity) + list(allocatable) if each.startswith(PREFIX)}:
        endpoint = endpoints.get(name, Endpoint(0))
        wanted["capacity"][name] = str(endpoint.count)
        wanted["allocatable"][name] = str(endpoint.count if endpoint.stopped_at is None else 0)
    have = {"capacity": capacity, "allocatable": allocatable}
    patch = {}
    for part, values in wanted.items():
        changed = {name: value for name, value in values.items() if have[part].get(name) != value}
        if changed:
            patch[part] = changed
    return {"status": patch} if patch else None
