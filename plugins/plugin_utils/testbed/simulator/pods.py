# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From Pod objects to what the simulator keeps of them; pure.

A component is recognised by what its container runs, so that the real charts and the stand-in charts look alike.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple, Optional, Tuple

from .components import GFD, MPS_DAEMON, PLUGIN
from .config_manager import Manager

MANAGER, NFD_WORKER, NFD_MASTER = "config-manager", "nfd-worker", "nfd-master"
MAIN_PROGRAMS = (PLUGIN, GFD, MPS_DAEMON, NFD_WORKER, NFD_MASTER)
_RESOURCES = "nvidia.com/"
# The image's entry point is the plugin: NVIDIA's static manifest names no command.
_PLUGIN_IMAGE = "k8s-device-plugin"


class Container(NamedTuple):
    """One container of a component's pod."""

    name: str
    init: bool
    command: str  # argv[0]
    program: str  # its last path component
    arguments: Tuple[str, ...]
    environment: dict
    manager: Optional[Manager]  # of a config-manager
    config_map: Optional[str]  # what CONFIG_FILE_SRCDIR (config-manager) or its configuration directory (NFD) mounts


class PodView(NamedTuple):
    """What matters of a pod that is bound to a node."""

    uid: str
    namespace: str
    name: str
    node: str
    owner: str  # uid of its controller
    phase: str
    spec_hash: str  # of what an update of the pod object (not of its status) changes
    program: str  # the component that it runs, or ""
    containers: Tuple[Container, ...]
    shares_processes: bool
    requests: Tuple[dict, ...]  # per container: nvidia.com resource -> count
    summary: tuple  # of its status, see status.summary


class PodsError(ValueError):
    """The object is no pod that one can read."""


def view(pod, summary):
    """Return the PodView of a Pod object, or None when nothing of it concerns GPUs."""
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
    containers = _containers(spec)
    program = _component(containers)
    requests = tuple(_requests(each) for each in spec.get("containers", []))
    if not program and not any(requests):
        return None
    owner = next((each["uid"] for each in meta.get("ownerReferences", []) if each.get("controller")), "")
    return PodView(
        uid=meta["uid"],
        namespace=meta["namespace"],
        name=meta["name"],
        node=spec.get("nodeName", ""),
        owner=owner,
        phase=status.get("phase", "Pending"),
        spec_hash=_hash([meta.get("labels"), meta.get("annotations")]),
        program=program,
        containers=tuple(containers) if program else (),
        shares_processes=bool(spec.get("shareProcessNamespace") or spec.get("hostPID")),
        requests=requests if any(requests) else (),
        summary=summary(status) if program else (),
    )


def is_prune(pod):
    """Tell whether the pod is the Job that takes NFD's labels off all nodes."""
    return pod.program == NFD_MASTER and any("-prune" in each.arguments or "--prune" in each.arguments for each in pod.containers)


def main_container(pod):
    """Return the container that runs the pod's component."""
    return next(each for each in pod.containers if each.program == pod.program and not each.init)


def managers(pod):
    """Return the config-manager containers of a pod: (init container, sidecar), each of them or None."""
    found = [each for each in pod.containers if each.program == MANAGER]
    return next((each for each in found if each.init), None), next((each for each in found if not each.init), None)


def mounted(pod):
    """Return the name of the ConfigMap that the pod's component is configured by, or None."""
    return next((each.config_map for each in pod.containers if each.config_map), None)


def _component(containers):
    programs = {each.program for each in containers if not each.init}
    return next((name for name in MAIN_PROGRAMS if name in programs), "")


def _containers(spec):
    volumes = {each["name"]: (each.get("configMap") or {}).get("name") for each in spec.get("volumes", [])}
    found = [_container(each, True, volumes) for each in spec.get("initContainers", [])]
    found += [_container(each, False, volumes) for each in spec.get("containers", [])]
    return [each for each in found if each]


def _container(container, init, volumes):
    command = list(container.get("command") or [])
    arguments = list(container.get("args") or [])
    if not command and container.get("image", "").rpartition("/")[2].partition(":")[0] == _PLUGIN_IMAGE:
        # Arguments in place of a command, as the static manifests of GFD have them.
        command = [arguments.pop(0)] if arguments and not arguments[0].startswith("-") else [PLUGIN]
    if not command:
        return None
    argv = command + arguments
    program = argv[0].rpartition("/")[2]
    environment = {each["name"]: each.get("value", "") for each in container.get("env", []) if "valueFrom" not in each}
    mounts = {each["mountPath"].rstrip("/"): volumes.get(each["name"]) for each in container.get("volumeMounts", [])}
    directory = {
        MANAGER: environment.get("CONFIG_FILE_SRCDIR", "").rstrip("/"),
        NFD_WORKER: "/etc/kubernetes/node-feature-discovery",
    }.get(program)
    manager = Manager.of(environment) if program == MANAGER else None
    return Container(container["name"], init, argv[0], program, tuple(argv[1:]), environment, manager, mounts.get(directory))


def _requests(container):
    limits = (container.get("resources") or {}).get("limits") or {}
    return {name: int(count) for name, count in limits.items() if name.startswith(_RESOURCES) and str(count).isdigit()}


def _hash(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
