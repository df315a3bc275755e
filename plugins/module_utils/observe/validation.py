# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""What GPU validation reads: nodes with their taints, living pods, and the pods of its own run with logs and events."""

from __future__ import annotations

import concurrent.futures
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import ApiError, Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.pages import list_items
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem, refuse
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.daemon_sets import DEVICE_PLUGIN
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.inventory import Counts
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.validation_pods import CHECK, RUN, is_ours
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.nodes import ALIVE, NODES, PODS, node_record, pending_reason, pod_resources, whole
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.sharing import found

PRIORITY_CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
RUNTIME_CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"


class Seen(t.NamedTuple):
    """What a plan is made from. C(home) and C(priority) are labels, None where the object does not exist."""

    nodes: t.List[dict]
    held: t.List[t.Tuple[str, Counts]]
    home: t.Optional[dict]
    priority: t.Optional[dict]
    leftovers: int


def namespace_path(namespace: str) -> str:
    return "/api/v1/namespaces/" + namespace


def pods_path(namespace: str) -> str:
    return namespace_path(namespace) + "/pods"


def jobs_path(namespace: str) -> str:
    return "/apis/batch/v1/namespaces/%s/jobs" % namespace


def read_cluster(connection: Connection, selector: str, namespace: str, priority_class: str) -> Seen:
    """Read all that a plan needs, side by side. The pods of an earlier run are counted apart: they go before the test.

    Raises: GpuOpsError when the server cannot read the selector.
    """

    def pod(item: dict) -> t.Optional[t.Tuple[str, Counts, bool]]:
        ours = item["metadata"].get("namespace") == namespace and is_ours(item["metadata"].get("labels"))
        node = item["spec"].get("nodeName", "")
        return (node, pod_resources(item["spec"]), ours) if node or ours else None

    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        pods = pool.submit(list_items, connection, PODS, ALIVE, pod)
        home = pool.submit(labels_of, connection, namespace_path(namespace))
        priority = pool.submit(labels_of, connection, "%s/%s" % (PRIORITY_CLASSES, priority_class)) if priority_class else None
        nodes = read_nodes(connection, selector)
        living = pods.result()
        others = [(node, resources) for node, resources, ours in living if not ours]
        return Seen(nodes, others, home.result(), priority.result() if priority else None, len(living) - len(others))


def labels_of(connection: Connection, path: str) -> t.Optional[dict]:
    item = found(connection, path)
    return None if item is None else item["metadata"].get("labels") or {}


def read_runtime_classes(connection: Connection) -> t.Optional[t.List[str]]:
    """Return their names, None where this user may not see them."""
    try:
        return list_items(connection, RUNTIME_CLASSES, None, lambda item: item["metadata"]["name"])
    except ApiError as error:
        if error.status == 403:
            return None
        raise


def has_foreign_pods(connection: Connection, namespace: str) -> bool:
    return bool(list_items(connection, pods_path(namespace), None, lambda pod: None if is_ours(pod["metadata"].get("labels")) else True))


def read_nodes(connection: Connection, selector: str) -> t.List[dict]:
    try:
        return list_items(connection, NODES, {"labelSelector": selector} if selector else None, full_node_record)
    except ApiError as error:
        if error.status != 400 or not selector:
            raise
        fix = "write it as kubectl get nodes -l takes it, such as pool=training"
        refuse([Problem("node_selector", selector, "not a label selector: %s" % error.message, fix)], "The GPU validation is")
        raise


def full_node_record(node: dict) -> dict:
    """Return the record of a node with the number of pods it takes."""
    room = ((node.get("status") or {}).get("allocatable") or {}).get("pods", "0")
    return dict(node_record(node), room=whole(room))


def read_checks(connection: Connection, namespace: str, run: str) -> t.Dict[str, dict]:
    """Return the record of each pod of a run by the name of its check; of a Job's pods the newest."""
    query = {"labelSelector": "%s=%s" % (RUN, run)}
    records = list_items(connection, pods_path(namespace), query, check_record)
    return {record["check"]: record for record in sorted(records, key=lambda record: record["created"])}


def check_record(pod: dict) -> dict:
    """Return where a pod of ours stands, and what its containers say."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    reason, message = pending_reason(status)
    texts, finished = [], ""
    for container in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        for kind, detail in (container.get("state") or {}).items():
            detail = detail or {}
            code = " with exit code %s" % detail["exitCode"] if "exitCode" in detail else ""
            said = ": ".join(filter(None, (detail.get("reason"), detail.get("message"))))
            texts.append("%s: %s%s%s" % (container["name"], kind, code, " (%s)" % said if said else ""))
            finished = max(finished, detail.get("finishedAt") or "")
            if kind == "terminated" and detail.get("exitCode") and not reason:
                reason, message = detail.get("reason") or "Error", "container %s ended%s" % (container["name"], code)
    return {
        "check": metadata["labels"].get(CHECK, ""),
        "name": metadata["name"],
        "created": metadata.get("creationTimestamp") or "",
        "node": pod["spec"].get("nodeName", ""),
        "phase": status.get("phase", ""),
        "reason": reason,
        "message": message,
        "containers": texts,
        "finished": finished,
    }


def read_log(connection: Connection, namespace: str, pod: str) -> str:
    log = connection.fetch("GET", "%s/%s/log" % (pods_path(namespace), pod), {"tailLines": 500, "limitBytes": 1 << 18}, accept="*/*")
    return log.decode("utf-8", "replace")


def read_events(connection: Connection, namespace: str, name: str) -> t.List[str]:
    """Return the last events about an object, oldest first; none of them is worth another failure."""
    query = {"fieldSelector": "involvedObject.name=%s" % name}
    try:
        events = list_items(connection, namespace_path(namespace) + "/events", query)
    except ApiError as error:
        return ["(not readable: %s)" % error.message]
    events.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    return ["%s %s: %s" % (event.get("type", ""), event.get("reason", ""), event.get("message", "")) for event in events[-8:]]


def read_plugin_pods(connection: Connection) -> t.Dict[str, dict]:
    """Return the record of the device plugin's pod on each node."""

    def record(pod: dict) -> t.Optional[dict]:
        container = next((each["name"] for each in pod["spec"].get("containers") or () if is_plugin(each)), None)
        if container is None or not pod["spec"].get("nodeName"):
            return None
        metadata, status = pod["metadata"], pod.get("status") or {}
        reason, message = pending_reason(status)
        where = {"namespace": metadata["namespace"], "name": metadata["name"], "container": container, "node": pod["spec"]["nodeName"]}
        return dict(where, phase=status.get("phase", ""), reason=reason, message=message)

    return {pod["node"]: pod for pod in list_items(connection, PODS, ALIVE, record)}


def is_plugin(container: dict) -> bool:
    """Tell whether a container runs the device plugin: by its command, or by its name where that hides in a shell (GPU Operator) or the image."""
    command = container.get("command") or [""]
    return command[0].rpartition("/")[2] == DEVICE_PLUGIN or (command[0] in ("", "bash", "sh") and container["name"] in (DEVICE_PLUGIN, DEVICE_PLUGIN + "-ctr"))
