# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects for tests: pods as the device plugin charts make them, nodes, and the moment at which they are looked at."""

from __future__ import annotations

import json

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator import hardware, node as nodes, pods as podviews, status

NAMESPACE, CONFIG_MAP = "nvidia-device-plugin", "gpu-sharing"
GPU = "nvidia.com/gpu"
SOURCE = "/available-configs"


def shared(replicas, strategy="timeSlicing", **options):
    """Return a config file that shares GPUs."""
    options = "".join("%s: %s, " % item for item in options.items())
    return "sharing: {%s: {%sresources: [{name: nvidia.com/gpu, replicas: %d}]}}" % (strategy, options, replicas)


def status_of_kwok(spec):
    """Return the status that KWOK gives a pod that runs."""
    init = [
        {"name": each["name"], "ready": True, "restartCount": 0, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
        for each in spec.get("initContainers", [])
    ]
    running = [
        {"name": each["name"], "ready": True, "restartCount": 0, "state": {"running": {"startedAt": "t"}}} for each in spec["containers"]
    ]
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "t"}
    return {"phase": "Running", "conditions": [ready], "initContainerStatuses": init, "containerStatuses": running, "podIP": "10.0.0.1"}


def component(program, name="p1", signals=None, phase="Running", config_map=CONFIG_MAP, node="n1"):
    """Return the Pod object of a component with its config-manager containers."""
    manager = {
        "image": "plugin:1",
        "command": ["config-manager"],
        "volumeMounts": [{"name": "available", "mountPath": SOURCE}, {"name": "config", "mountPath": "/config"}],
    }
    environment = {"CONFIG_FILE_SRCDIR": SOURCE, "CONFIG_FILE_DST": "/config/config.yaml", "FALLBACK_STRATEGIES": "named,single"}
    managers = []
    for suffix, more in (("init", {"SEND_SIGNAL": "false"}), ("sidecar", {"PROCESS_TO_SIGNAL": signals or program})):
        env = [{"name": key, "value": value} for key, value in dict(environment, **more).items()]
        managers.append(dict(manager, name="%s-%s" % (program, suffix), env=env))
    env = [{"name": "MPS_ROOT", "value": "/run/nvidia/mps"}, {"name": "NODE_NAME", "valueFrom": {"fieldRef": {}}}]
    main = {"name": program + "-ctr", "image": "plugin:1", "command": [program], "env": env}
    spec = {"nodeName": node, "shareProcessNamespace": True, "containers": [main]}
    if config_map:
        spec["volumes"] = [{"name": "available", "configMap": {"name": config_map}}, {"name": "config", "emptyDir": {}}]
        spec["initContainers"], spec["containers"] = [managers[0]], [managers[1], main]
    owner = [{"uid": "ds-" + program, "controller": True, "kind": "DaemonSet"}]
    meta = {"name": name, "namespace": NAMESPACE, "uid": "uid-" + name, "ownerReferences": owner, "labels": {"app": program}}
    return {"metadata": meta, "spec": spec, "status": status_of_kwok(spec) if phase == "Running" else {"phase": phase}}


def plain(program, name, node="n1", phase="Running", arguments=(), files=None):
    """Return the Pod object of nfd-worker or nfd-master."""
    container = {"name": "main", "image": "nfd:1", "command": [program], "args": list(arguments)}
    spec = {"nodeName": node, "containers": [container]}
    if files:
        container["volumeMounts"] = [{"name": "conf", "mountPath": "/etc/kubernetes/node-feature-discovery"}]
        spec["volumes"] = [{"name": "conf", "configMap": {"name": files}}]
    meta = {"name": name, "namespace": NAMESPACE, "uid": "uid-" + name, "ownerReferences": [{"uid": "ds-" + program, "controller": True}]}
    return {"metadata": meta, "spec": spec, "status": status_of_kwok(spec) if phase == "Running" else {"phase": phase}}


def consumer(name, count, phase="Pending", resource=GPU):
    """Return the Pod object of a user's pod that asks for GPUs."""
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "x", "resources": {"limits": {resource: str(count), "cpu": "1"}}}]}
    return {"metadata": {"name": name, "namespace": "default", "uid": "uid-" + name}, "spec": spec, "status": {"phase": phase}}


def view(pod):
    """Return what the simulator keeps of a pod."""
    return podviews.view(pod, status.summary)


def node_object(name="n1", model="A100-SXM4-80GB", gpus=2, fault="", labels=None, capacity=None, allocatable=None, managed="", fake=True):
    """Return a Node object."""
    annotations = {nodes.FAKE: "fake"} if fake else {}
    if model:
        annotations[nodes.HARDWARE] = json.dumps(hardware.describe(model, gpus))
    if fault:
        annotations[nodes.FAULT] = fault
    if managed:
        annotations["nfd.node.kubernetes.io/feature-labels"] = managed
    meta = {"name": name, "uid": "uid-" + name, "resourceVersion": "1", "annotations": annotations, "labels": dict(labels or {})}
    return {"metadata": meta, "status": {"capacity": dict(capacity or {}, cpu="8"), "allocatable": dict(allocatable or {}, cpu="8")}}


def moment(now=1000.0, files=None, **more):
    """Return the Surroundings of a node; by default nfd-master runs and every DaemonSet exists."""
    values = {
        "now": now,
        "pace": 1.0,
        "config_maps": {(NAMESPACE, CONFIG_MAP): files} if files is not None else {},
        "master": True,
        "owners": frozenset("ds-" + each for each in podviews.MAIN_PROGRAMS),
        "prunes": frozenset(),
        "delay": lambda: 75.0,
    }
    values.update(more)
    return nodes.Surroundings(**values)
