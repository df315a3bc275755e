# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The events that kubelet would write about a pod; pure."""

from __future__ import annotations

import time

from .node import REJECT, STATUS

_COMPONENT = "gpuops-simulator"


def of(write, now):
    """Return the Event object that belongs to a change of a pod's status, or None."""
    if write.kind == REJECT:
        return _event(write.pod, "UnexpectedAdmissionError", write.content, now)
    if write.kind != STATUS:
        return None
    for name, ready, restarts, kind, reason, message, error in write.content[2]:
        del ready, restarts, kind
        if reason == "CrashLoopBackOff":
            return _event(write.pod, "BackOff", "Back-off restarting failed container %s: %s" % (name, error), now)
        if reason == "ContainerCreating" and message:
            return _event(write.pod, "FailedMount" if message.startswith("MountVolume") else "FailedCreatePodSandBox", message, now)
    return None


def _event(pod, reason, message, now):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    return {
        "metadata": {"generateName": "%s." % pod.name, "namespace": pod.namespace},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid},
        "type": "Warning",
        "reason": reason,
        "message": message[:1000],
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
        "source": {"component": _COMPONENT, "host": pod.node},
        "reportingComponent": _COMPONENT,
        "reportingInstance": pod.node,
    }
