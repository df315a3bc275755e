# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of a component's pod as kubelet would report it; pure.

One thing is added: the last words of a program that ended stand in lastState.terminated.message, because a simulated pod
has no log in which one could read them.
"""

from __future__ import annotations

import time

from .processes import BACKOFF, DONE, RUNNING, WAITING

_CREATING = "ContainerCreating"


def summary(status):
    """Return what of a pod's status this module writes, without its times, to compare with wanted()."""
    conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
    parts = []
    for field in ("initContainerStatuses", "containerStatuses"):
        for each in status.get(field) or []:
            parts.append((each["name"], bool(each.get("ready")), each.get("restartCount", 0)) + _state(each))
    return status.get("phase", "Pending"), conditions.get("Ready", "False"), tuple(parts)


def _state(container):
    state = container.get("state") or {}
    kind = next(iter(state), WAITING)
    last = ((container.get("lastState") or {}).get("terminated") or {}).get("message", "")
    return kind, state.get(kind, {}).get("reason", ""), state.get(kind, {}).get("message", ""), last


def wanted(pod, state):
    """Return the summary that a pod should have, or None while KWOK's own report is right."""
    if state.held:
        parts = tuple((each.name, False, 0, "waiting", _CREATING, state.held, "") for each in pod.containers)
        return "Pending", "False", parts
    crashed = any(each.state == BACKOFF or each.restarts for each in (state.init, state.sidecar, state.main))
    if not crashed and not state.written:
        return None
    initialised = state.init.state in (WAITING, DONE)
    parts = tuple(_wanted_container(pod, each, state, initialised) for each in pod.containers)
    ready = initialised and all(part[1] for part in parts)
    return "Running" if initialised else "Pending", str(ready), parts


def _wanted_container(pod, container, state, initialised):
    process = _process(pod, container, state)
    if container.init and (process is None or process.state == DONE):
        return container.name, True, process.restarts if process else 0, "terminated", "Completed", "", process.error if process else ""
    if not container.init and not initialised:
        return container.name, False, 0, "waiting", "PodInitializing", "", ""
    if process is None or process.state == RUNNING:
        return container.name, True, process.restarts if process else 0, "running", "", "", process.error if process else ""
    delay = max(0, round(process.retry_at - process.since))
    text = "back-off %ds restarting failed container=%s pod=%s_%s(%s)" % (delay, container.name, pod.name, pod.namespace, pod.uid)
    return container.name, False, process.restarts, "waiting", "CrashLoopBackOff", text, process.error


def _process(pod, container, state):
    if container.program == "config-manager":
        return state.init if container.init else state.sidecar
    return state.main if container.program == pod.program and not container.init else None


def differs(actual, goal):
    """Tell whether a pod's summary is not what wanted() returned; containers of others do not count."""
    names = {part[0] for part in goal[2]}
    return actual[:2] != goal[:2] or tuple(part for part in actual[2] if part[0] in names) != goal[2]


def is_held(actual):
    """Tell whether a summary is that of a pod which this module kept KWOK from running."""
    return any(part[4] == _CREATING for part in actual[2])


def is_ours(actual):
    """Tell whether a summary shows what KWOK never writes: it is of an earlier run of the simulator."""
    return any(part[2] or part[3] == WAITING for part in actual[2])


def release_patch():
    """Return the patch after which KWOK runs the pod: it plays pods that nobody has reported on."""
    gone = dict.fromkeys(("containerStatuses", "initContainerStatuses", "podIP", "podIPs"))
    return {"status": dict(gone, phase="Pending")}


def patch(pod_object, goal, now):
    """Return the merge patch that brings a pod's status to a summary from wanted()."""
    status, spec = pod_object.get("status", {}), pod_object["spec"]
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    phase, ready, parts = goal
    by_name = {part[0]: part for part in parts}
    result = {"phase": phase, "conditions": _conditions(status, phase, ready, by_name, stamp)}
    for field, containers in (("initContainerStatuses", "initContainers"), ("containerStatuses", "containers")):
        have = {each["name"]: each for each in status.get(field) or []}
        listed = [_status(each, by_name.get(each["name"]), have.get(each["name"]), stamp) for each in spec.get(containers, [])]
        if listed:
            result[field] = listed
    return {"status": result}


def _conditions(status, phase, ready, by_name, stamp):
    waiting = [name for name, part in by_name.items() if not part[1]]
    reason = {"reason": "ContainersNotReady", "message": "containers with unready status: [%s]" % " ".join(waiting)} if waiting else {}
    values = {"Initialized": "True" if phase == "Running" else "False", "ContainersReady": ready, "Ready": ready}
    result = [each for each in status.get("conditions", []) if each["type"] not in values]
    before = {each["type"]: each for each in status.get("conditions", [])}
    for kind, value in values.items():
        old = before.get(kind, {})
        since = old.get("lastTransitionTime") if old.get("status") == value else None
        item = {"type": kind, "status": value, "lastTransitionTime": since or stamp}
        if kind != "Initialized" and value == "False":
            item.update(reason)
        result.append(item)
    return result


def _status(container, part, have, stamp):
    """Return one container's status; a container that is none of the component's is as ready as KWOK left it."""
    have = have or {}
    if part is None:
        part = (container["name"], True, 0, "running", "", "", "")
    name, ready, restarts, kind, reason, message, error = part
    before = (have.get("state") or {}).get(kind, {})
    state = {key: value for key, value in (("reason", reason), ("message", message)) if value}
    if kind == "running":
        same = have.get("restartCount", 0) == restarts
        state = {"startedAt": before.get("startedAt", stamp) if same else stamp}
    elif kind == "terminated":
        state.update(exitCode=0, startedAt=before.get("startedAt", stamp), finishedAt=before.get("finishedAt", stamp))
    last = {}
    if error:
        ended = {"exitCode": 1, "reason": "Error", "message": error, "startedAt": stamp, "finishedAt": stamp}
        old = (have.get("lastState") or {}).get("terminated")
        last = {"terminated": old if old and old.get("message") == error and have.get("restartCount", 0) == restarts else ended}
    return {
        "name": name,
        "image": container.get("image", ""),
        "imageID": have.get("imageID", ""),
        "ready": ready,
        "started": kind == "running",
        "restartCount": restarts,
        "state": {kind: state},
        "lastState": last,
    }


def rejected(message, now):
    """Return the merge patch for a pod that kubelet does not admit."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    status = {"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": message, "startTime": stamp}
    return {"status": dict(status, conditions=None, containerStatuses=None, initContainerStatuses=None)}
