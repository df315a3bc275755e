# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""The DaemonSets that serve GPUs, and their pods, as small plain records."""

from __future__ import annotations

import posixpath
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.pages import list_items
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.nodes import pending_reason

DEVICE_PLUGIN = "nvidia-device-plugin"
TOOLS = (DEVICE_PLUGIN, "gpu-feature-discovery", "mps-control-daemon", "nfd-worker")
# The plugin's image runs the plugin when no command is given: NVIDIA's static manifests do that.
PLUGIN_IMAGE = "k8s-device-plugin"
RELEASE = "meta.helm.sh/release-name"


def read_daemon_sets(connection: Connection) -> t.List[dict]:
    """Return the record of each DaemonSet of the GPU stack, in all namespaces (see C(daemon_set_record))."""
    return list_items(connection, "/apis/apps/v1/daemonsets", None, daemon_set_record)


def read_unready_pods(connection: Connection, namespace: str) -> t.List[dict]:
    """Return the record of each pod of a namespace that is not ready (see C(unready_record))."""
    return list_items(connection, "/api/v1/namespaces/%s/pods" % namespace, None, unready_record)


def daemon_set_record(one: dict) -> t.Optional[dict]:
    """Return what a DaemonSet runs and how far it is; None for one that has nothing to do with GPUs.

    Names say nothing, so that tools are recognised by the commands of the containers.
    """
    metadata, status = one["metadata"], one.get("status") or {}
    containers = one["spec"]["template"]["spec"].get("containers") or []
    commands = [command for command in map(_command, containers) if command]
    operator = any(owner.get("kind") == "ClusterPolicy" for owner in metadata.get("ownerReferences") or [])
    tools = [tool for tool in TOOLS if tool in {posixpath.basename(command) for command in commands}]
    if not tools and not operator:
        return None
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata.get("uid", ""),
        "release": (metadata.get("annotations") or {}).get(RELEASE, ""),
        "operator": operator,
        "tools": tools,
        "commands": commands,
        "tolerations": one["spec"]["template"]["spec"].get("tolerations") or [],
        "signals": {container["name"]: target for container, target in zip(containers, map(_signal, containers)) if target},
        "seen": status.get("observedGeneration", 0) >= metadata.get("generation", 0),
        "desired": status.get("desiredNumberScheduled", 0),
        "updated": status.get("updatedNumberScheduled", 0),
        "ready": status.get("numberReady", 0),
    }


def _command(container: dict) -> str:
    command = container.get("command") or []
    if command:
        return command[0]
    image = posixpath.basename(container.get("image", "").split("@", 1)[0]).split(":", 1)[0]
    return DEVICE_PLUGIN if image == PLUGIN_IMAGE else ""


def _signal(container: dict) -> str:
    """Return which process a config manager signals when it has put a new configuration in place."""
    environment = {entry["name"]: entry.get("value", "") for entry in container.get("env") or []}
    return environment.get("PROCESS_TO_SIGNAL", "") if environment.get("SEND_SIGNAL") == "true" else ""


def unready_record(pod: dict) -> t.Optional[dict]:
    """Return name, node, owners and reason of a pod that is not ready; None for one that is."""
    status = pod.get("status") or {}
    if any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or []):
        return None
    reason, message = pending_reason(status)
    return {
        "name": pod["metadata"]["name"],
        "node": (pod.get("spec") or {}).get("nodeName") or "no node",
        "owners": [owner.get("uid") for owner in pod["metadata"].get("ownerReferences") or []],
        "reason": reason or status.get("phase", "unknown"),
        "message": message,
    }
