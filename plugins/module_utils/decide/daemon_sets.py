# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""The DaemonSets that serve GPUs: who else serves them, why one is not complete, and whom it signals in vain. No I/O."""

from __future__ import annotations

import posixpath
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.inventory import is_gpu_node, physical_gpus
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.taints import keeping_out, shown

DEVICE_PLUGIN = "nvidia-device-plugin"
GFD = "gpu-feature-discovery"
# The DaemonSet controller has its pods tolerate what it and the kubelet put on a node in trouble.
OF_NODES_IN_TROUBLE = "node.kubernetes.io/"
NFD_WORKER = "nfd-worker"


def _name(one: dict) -> str:
    return "%s/%s" % (one["namespace"], one["name"])


def is_ours(one: dict, namespace: str, release: str) -> bool:
    return one["namespace"] == namespace and one["release"] == release


def conflicts(daemon_sets: t.Sequence[dict], namespace: str, release: str) -> t.List[str]:
    """Return what else serves the GPUs of the cluster beside our release: two device plugins on a node fight over the same resource."""
    operator = sorted(_name(one) for one in daemon_sets if one["operator"])
    found = []
    if operator:
        fix = "use gpu_stack: operator, or uninstall the GPU Operator first"
        found.append("The GPU Operator runs in this cluster (DaemonSet %s), and one stack serves the GPUs; fix: %s" % (", ".join(operator[:3]), fix))
    for one in daemon_sets:
        if DEVICE_PLUGIN in one["tools"] and not one["operator"] and not is_ours(one, namespace, release):
            fix = "remove it, or take it over by setting device_plugin_namespace and device_plugin_release to its release"
            found.append("DaemonSet %s runs a device plugin already; fix: %s" % (_name(one), fix))
    return found


def rollout_problems(daemon_sets: t.Sequence[dict], pods: t.Sequence[dict] = (), minimum_nodes: int = 0) -> t.List[str]:
    """Return why the DaemonSets of a release are not complete.

    :param pods: those that are not ready, for the reasons in the words of scheduler and kubelet.
    :param minimum_nodes: on how many nodes at least the device plugin has to run.
    """
    found = []
    for one in daemon_sets:
        if not one["seen"]:
            found.append("%s: the DaemonSet controller has not seen its last change yet" % _name(one))
        elif min(one["ready"], one["updated"]) < one["desired"]:
            counts = (_name(one), one["ready"], one["desired"], one["updated"], _pods_of(one, pods))
            found.append("%s: %d of %d pods ready, %d up to date%s" % counts)
        elif DEVICE_PLUGIN in one["tools"] and one["desired"] < minimum_nodes:
            found.append("%s: wanted on %d nodes, at least %d expected: %s" % (_name(one), one["desired"], minimum_nodes, _why_nowhere(daemon_sets)))
    if not any(DEVICE_PLUGIN in one["tools"] for one in daemon_sets):
        found.append("no DaemonSet runs the device plugin")
    return found


def uncounted(daemon_sets: t.Sequence[dict], nodes: t.Sequence[dict]) -> t.List[str]:
    """Return the GPU nodes whose GPUs the release's GPU feature discovery has not counted yet."""
    if not any(GFD in one["tools"] for one in daemon_sets):
        return []
    return sorted(node["name"] for node in nodes if is_gpu_node(node) and node["ready"] and physical_gpus(node) is None)


def uncounted_problems(daemon_sets: t.Sequence[dict], nodes: t.Sequence[dict], most: int = 10) -> t.List[str]:
    late = uncounted(daemon_sets, nodes)
    more = " and %d more" % (len(late) - most) if len(late) > most else ""
    return ["GPU feature discovery has not counted the GPUs of %s%s yet" % (", ".join(late[:most]), more)] if late else []


def shut_out(daemon_sets: t.Sequence[dict], nodes: t.Sequence[dict], most: int = 10) -> t.List[str]:
    """Return why GPU nodes will never be served: a taint that the release's pods do not tolerate, although discovery labelled the node."""
    late = set(uncounted(daemon_sets, nodes))
    found = []
    for one in daemon_sets:
        for node in nodes if GFD in one["tools"] else ():
            taints = [taint for taint in node["taints"] if not taint["key"].startswith(OF_NODES_IN_TROUBLE)]
            taint = keeping_out(taints, one["tolerations"]) if node["name"] in late else None
            if taint:
                fix = "add {key: %s, operator: Exists, effect: %s} to device_plugin_tolerations" % (taint["key"], taint["effect"])
                found.append("node %s: its taint %s is not tolerated by DaemonSet %s; fix: %s" % (node["name"], shown(taint), _name(one), fix))
    return found[:most] + (["and %d more nodes" % (len(found) - most)] if len(found) > most else [])


def _why_nowhere(daemon_sets: t.Sequence[dict]) -> str:
    workers = [one for one in daemon_sets if NFD_WORKER in one["tools"]]
    if not workers:
        return (
            "its affinity asks for nodes labelled feature.node.kubernetes.io/pci-10de.present or nvidia.com/gpu.present, and this release "
            "runs no node feature discovery; set device_plugin_nfd, or check the one that is there (deviceLabelFields: [vendor])"
        )
    if not any(one["desired"] for one in workers):
        return "the NFD worker runs nowhere either: check taints against device_plugin_nfd_worker_tolerations"
    return "NFD found no more nodes with an NVIDIA device (label feature.node.kubernetes.io/pci-10de.present)"


def _pods_of(one: dict, pods: t.Sequence[dict], most: int = 5) -> str:
    lines = [("%(name)s on %(node)s: %(reason)s %(message)s" % pod).strip() for pod in pods if one["uid"] in pod["owners"]]
    if not lines:
        return ""
    return " (%s%s)" % ("; ".join(lines[:most]), "; and %d more" % (len(lines) - most) if len(lines) > most else "")


def misdirected(daemon_sets: t.Sequence[dict]) -> t.List[dict]:
    """Return the containers that signal a process by a name under which it does not run, with the name under which it does.

    A config manager compares the name with the whole first word of the command line, ends when it finds none, and is started again and
    again: so the MPS DaemonSet of chart 0.20.0, whose daemon runs as C(mps-control-daemon) (NVIDIA/k8s-device-plugin#1827).
    """
    found = []
    for one in daemon_sets:
        for container, target in sorted(one["signals"].items()):
            meant = [command for command in one["commands"] if posixpath.basename(command) == posixpath.basename(target)]
            if target not in one["commands"] and len(meant) == 1:
                found.append({"namespace": one["namespace"], "daemon_set": one["name"], "container": container, "process": target, "should_be": meant[0]})
    return found
