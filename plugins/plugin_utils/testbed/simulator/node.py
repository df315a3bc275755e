# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One simulated node: from what is observed to what has to be written; no I/O, no clock.

`decide` advances the node's memory and returns the writes; it is called for every change that concerns the node and when
a time that it named has come.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Optional, Tuple

from . import components, kubelet, labels, status
from .components import GFD, MPS_DAEMON, PLUGIN
from .config_manager import LABEL
from .hardware import Hardware, parse
from .pods import NFD_WORKER, PodView, main_container, mounted
from .processes import RUNNING, PodState, World, advance, next_event

FAKE, FAKE_VALUE = "kwok.x-k8s.io/node", "fake"
HARDWARE = "gpuops.kubernetes/simulated-gpu"
FAULT = "gpuops.kubernetes/simulated-fault"
NEVER_READY, STALE_CAPACITY, CRASH = "never-ready", "stale-capacity", "crash"
MPS_RETRY = 30.0
STATUS, RELEASE, REJECT = "status", "release", "reject"
# What a missing container runtime handler looks like: the commonest reason for a plugin that never gets ready.
_NEVER_READY = 'Failed to create pod sandbox: no runtime for "nvidia" is configured (simulated fault: never-ready)'
_CRASH = "error starting plugins: simulated fault: crash"


class NodeView(NamedTuple):
    """What matters of a Node object."""

    name: str
    uid: str
    fake: bool
    labels: dict
    hardware: Optional[Hardware]
    fault: str
    managed: str  # nfd-master's annotation
    capacity: dict
    allocatable: dict


class Surroundings(NamedTuple):
    """What a node meets at one moment, beside its own objects."""

    now: float
    pace: float
    config_maps: dict  # (namespace, name) -> data, or None when there is none
    master: bool  # an nfd-master runs somewhere
    owners: frozenset  # uids of the DaemonSets that exist
    prunes: frozenset  # uids of the pods that ran nfd-master -prune
    delay: object  # () -> seconds until a changed ConfigMap reaches a volume


@dataclass
class Feature:
    """The NodeFeature object of one source of labels."""

    labels: dict
    owner: str  # uid of the DaemonSet; "" when it is not known


@dataclass
class Memory:
    """What the simulator remembers of a node."""

    uid: str
    hardware: Optional[Hardware]
    endpoints: dict
    pods: dict = field(default_factory=dict)  # uid -> PodState
    admitted: set = field(default_factory=set)  # uids of pods that kubelet has looked at
    rejected: dict = field(default_factory=dict)  # uid -> message
    features: dict = field(default_factory=dict)  # program -> Feature
    pruned: set = field(default_factory=set)


class Outcome(NamedTuple):
    """What has to be written for a node, and when to look again."""

    node_patch: Optional[dict]
    status_patch: Optional[dict]
    pods: Tuple["PodWrite", ...]
    wake_at: Optional[float]


class PodWrite(NamedTuple):
    """A change of one pod's status."""

    pod: PodView
    kind: str  # STATUS, RELEASE or REJECT
    content: object  # the goal for status.patch, nothing, or kubelet's message


def view(node):
    """Return the NodeView of a Node object."""
    meta, node_status = node["metadata"], node.get("status", {})
    annotations = meta.get("annotations") or {}
    hardware = None
    if annotations.get(HARDWARE):
        try:
            hardware = parse(annotations[HARDWARE])
        except ValueError:
            hardware = None  # a node whose annotation one cannot read has no GPUs
    return NodeView(
        name=meta["name"],
        uid=meta["uid"],
        fake=annotations.get(FAKE) == FAKE_VALUE,
        labels=meta.get("labels") or {},
        hardware=hardware,
        fault=annotations.get(FAULT, ""),
        managed=annotations.get(labels.NFD_MANAGED, ""),
        capacity=_nvidia(node_status.get("capacity")),
        allocatable=_nvidia(node_status.get("allocatable")),
    )


def _nvidia(quantities):
    return {name: value for name, value in (quantities or {}).items() if name.startswith(kubelet.PREFIX)}


def decide(node, pods, memory, around):
    """Return (memory, Outcome) for a node and the pods that are bound to it."""
    memory = _remembered(node, memory, around, pods)
    known = {pod.uid: pod for pod in pods}
    memory.pods = {uid: state for uid, state in memory.pods.items() if uid in known}
    writes = []
    for pod in pods:
        if pod.program:
            writes += _component(node, pod, memory, around)
    serving = _serving(node, pods, memory, around)
    if node.fault != STALE_CAPACITY:
        memory.endpoints = kubelet.after(memory.endpoints, serving, around.now, kubelet.GRACE * around.pace)
    writes += _admission(pods, memory, around)
    node_patch = _labels(node, pods, memory, around)
    status_patch = None
    # What a node without simulated GPUs advertises is somebody else's: a real plugin's, or a test's.
    if node.hardware is not None and node.fault != STALE_CAPACITY:
        status_patch = kubelet.status_patch(memory.endpoints, node.capacity, node.allocatable)
    times = [next_event(state) for state in memory.pods.values()]
    times.append(kubelet.next_event(memory.endpoints, kubelet.GRACE * around.pace))
    wake_at = min((each for each in times if each is not None), default=None)
    return memory, Outcome(node_patch, status_patch, tuple(writes), wake_at)


def _remembered(node, memory, around, pods):
    """Return the node's memory; a node that is new, or has other GPUs than before, starts from what it reports."""
    if memory is not None and memory.uid == node.uid and memory.hardware == node.hardware:
        return memory
    fresh = Memory(node.uid, node.hardware, kubelet.recovered(node.capacity, around.now))
    if memory is not None and memory.uid == node.uid:
        fresh.endpoints, fresh.admitted = memory.endpoints, memory.admitted
    # What ran before we looked is history: finished prunes, and pods that were admitted.
    fresh.pruned = set(around.prunes)
    fresh.admitted |= {pod.uid for pod in pods if pod.phase == "Running"}
    have = {name: node.labels[name] for name in labels.managed(node.managed) if name in node.labels}
    for program, ours in ((GFD, False), (NFD_WORKER, True)):
        found = {name: value for name, value in have.items() if name.startswith(labels.NFD_PREFIX) == ours}
        if found:
            fresh.features[program] = Feature(found, "")
    return fresh


def _component(node, pod, memory, around):
    """Advance a component's pod; return the writes to its status."""
    state = memory.pods.get(pod.uid)
    if state is None:
        state = memory.pods[pod.uid] = PodState(spec_hash=pod.spec_hash, written=status.is_ours(pod.summary))
    if pod.phase not in ("Pending", "Running"):
        memory.pods[pod.uid] = PodState(spec_hash=pod.spec_hash)
        return []
    name = mounted(pod)
    if name and (pod.namespace, name) not in around.config_maps:
        return []  # not read yet
    world = World(
        now=around.now,
        pace=around.pace,
        label=node.labels.get(LABEL, ""),
        start=lambda view, text: _start(node, view, text, around.now),
        config_map=around.config_maps.get((pod.namespace, name)) if name else None,
        delay=around.delay,
        hold=_NEVER_READY if pod.program == PLUGIN and node.fault == NEVER_READY else "",
        crash=_CRASH if pod.program == PLUGIN and node.fault == CRASH else "",
    )
    missing = name is not None and world.config_map is None and state.files is None
    if pod.phase == "Pending" and not pod.summary[2] and not world.hold and not missing:
        return []  # KWOK, which plays kubelet, has not started it yet
    advance(pod, state, world)
    if status.is_held(pod.summary) and not state.held:
        state.written = False
        return [PodWrite(pod, RELEASE, None)]
    goal = status.wanted(pod, state)
    if goal is None:
        return []
    state.written = True
    return [PodWrite(pod, STATUS, goal)] if status.differs(pod.summary, goal) else []


def _start(node, pod, text, now):
    """Start the main program of a pod and return what it runs with."""
    container = main_container(pod)
    arguments = (text, node.hardware)
    if pod.program == PLUGIN:
        return components.start_plugin(*arguments, environment=container.environment, arguments=container.arguments)
    if pod.program == MPS_DAEMON:
        return components.start_mps(*arguments)
    if pod.program == GFD:
        return labels.start_gfd(*arguments, now=now, environment=container.environment, arguments=container.arguments)
    return {}


def _running(pods, memory, program):
    """Return (pod, state) of the pods whose main program of that name runs."""
    return [(pod, memory.pods[pod.uid]) for pod in pods if pod.program == program and _runs(memory, pod)]


def _runs(memory, pod):
    state = memory.pods.get(pod.uid)
    return state is not None and pod.phase == "Running" and state.main.state == RUNNING and state.result is not None


def _serving(node, pods, memory, around):
    """Return the resources that plugins have registered: name -> number of devices."""
    answering = set()
    for unused, state in _running(pods, memory, MPS_DAEMON):
        answering |= state.result.resources
    serving = {}
    for unused, state in sorted(_running(pods, memory, PLUGIN), key=lambda item: item[1].main.since):
        plugin = state.result
        if not state.serving and around.now >= state.register_at:
            state.serving = not plugin.needs_mps or set(plugin.resources) <= answering
            state.register_at = around.now + MPS_RETRY * around.pace
        if state.serving:
            serving.update(plugin.resources)
    return {name: count for name, count in serving.items() if count}


def _plugin(pods, memory):
    """Return the plugin that kubelet asks for devices, or None."""
    found = [state for unused, state in _running(pods, memory, PLUGIN) if state.serving]
    return max(found, key=lambda state: state.main.since).result if found else None


def _admission(pods, memory, around):
    """Refuse, once and as they arrive, pods that ask for more replicas than the plugin gives; return the writes."""
    writes = []
    plugin = _plugin(pods, memory)
    for pod in pods:
        if not pod.requests or pod.phase not in ("Pending", "Running"):
            continue
        if pod.uid not in memory.admitted:
            memory.admitted.add(pod.uid)
            refusals = [components.refused_request(plugin, each) for each in pod.requests]
            message = next((each for each in refusals if each), None)
            if message:
                memory.rejected[pod.uid] = message
        # KWOK may have set it running over our first refusal.
        if pod.uid in memory.rejected:
            writes.append(PodWrite(pod, REJECT, memory.rejected[pod.uid]))
    here = {pod.uid for pod in pods}
    memory.admitted &= here
    memory.rejected = {uid: message for uid, message in memory.rejected.items() if uid in here}
    return writes


def _labels(node, pods, memory, around):
    """Return the patch for the labels that nfd-master manages, or None."""
    _update_features(node, pods, memory, around)
    pruning = around.prunes - memory.pruned
    if pruning:
        memory.pruned |= pruning
        memory.features.clear()
        return _metadata_patch(node, {}, labels.managed(node.managed), None)
    if not around.master:
        return None
    wanted = {}
    for feature in memory.features.values():
        wanted.update(feature.labels)
    return _metadata_patch(node, wanted, labels.managed(node.managed), labels.managed_annotation(wanted) or None)


def _update_features(node, pods, memory, around):
    """Bring the NodeFeature objects up to date: they outlive the pods, and go with their DaemonSet."""
    for pod, state in _running(pods, memory, NFD_WORKER):
        text = (state.files or {}).get("nfd-worker.conf")
        memory.features[NFD_WORKER] = Feature(labels.nfd_labels(text, node.hardware), pod.owner)
    for pod, state in sorted(_running(pods, memory, GFD), key=lambda item: item[1].main.since):
        memory.features[GFD] = Feature(dict(state.result), pod.owner)
    here = {pod.program for pod in pods}
    for program, feature in list(memory.features.items()):
        if program not in here and feature.owner and feature.owner not in around.owners:
            del memory.features[program]


def _metadata_patch(node, wanted, before, annotation):
    """Return the merge patch of labels and nfd-master's annotation, or None."""
    changed = {name: value for name, value in wanted.items() if node.labels.get(name) != value}
    changed.update((name, None) for name in before if name not in wanted and name in node.labels)
    metadata = {"labels": changed} if changed else {}
    if (annotation or "") != node.managed:
        metadata["annotations"] = {labels.NFD_MANAGED: annotation}
    return {"metadata": metadata} if metadata else None
