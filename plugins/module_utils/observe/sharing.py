# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""What GPU sharing finds on a cluster: the ConfigMap, the nodes, and the plugin pods that mount the ConfigMap."""

from __future__ import annotations

import concurrent.futures
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import FIELD_MANAGER, ApiError, Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.pages import list_items
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem, refuse
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.selectors import lasting
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.sharing import PENDING, Current
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.nodes import NODES, node_record, pending_reason, read_names, read_nodes

MANAGED_BY = "app.kubernetes.io/managed-by"


def config_map_path(namespace: str, name: str) -> str:
    return "/api/v1/namespaces/%s/configmaps/%s" % (namespace, name)


def found(connection: Connection, path: str) -> t.Optional[dict]:
    """Return an object, or None where there is none."""
    try:
        return connection.request("GET", path)
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def read_current(connection: Connection, namespace: str, name: str, node_configs: t.Sequence[dict], prefix: str = "") -> Current:
    """Read all that a plan needs, side by side."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        nodes = pool.submit(read_nodes, connection)
        home = pool.submit(found, connection, "/api/v1/namespaces/%s" % namespace)
        config_map = pool.submit(found, connection, config_map_path(namespace, name))
        selected = {index: selected_nodes(connection, entry, "%snode_configs[%d].selector" % (prefix, index)) for index, entry in enumerate(node_configs)}
        there, record = home.result() is not None, config_map_record(config_map.result())
        mounted = there and record is None and bool(read_plugin_pods(connection, namespace, name))
        return Current(there, record, nodes.result(), selected, mounted)


def selected_nodes(connection: Connection, entry: dict, path: str) -> t.List[str]:
    """Return the names of the nodes that an assignment means.

    :param path: how its user calls the selector.

    Raises: GpuOpsError when the server cannot read the selector.
    """
    if entry.get("nodes"):
        return entry["nodes"]
    try:
        return read_names(connection, lasting(entry["selector"]))
    except ApiError as error:
        if error.status != 400:
            raise
        fix = "write it as kubectl get nodes -l takes it, such as pool=training"
        refuse([Problem(path, entry["selector"], "not a label selector: %s" % error.message, fix)], "The sharing plan is")
        raise


def config_map_record(config_map: t.Optional[dict]) -> t.Optional[dict]:
    """Return data, the keys that we own, the keys whose pods were not restarted yet, and whether the object carries our label."""
    if config_map is None:
        return None
    metadata = config_map["metadata"]
    pending = (metadata.get("annotations") or {}).get(PENDING, "")
    return {
        "data": config_map.get("data") or {},
        "owned": owned_keys(metadata),
        "pending": [key for key in pending.split(",") if key],
        "labelled": (metadata.get("labels") or {}).get(MANAGED_BY) == FIELD_MANAGER,
    }


def owned_keys(metadata: dict) -> t.List[str]:
    """Return the data keys that server-side apply recorded for our field manager."""
    keys: t.Set[str] = set()
    for entry in metadata.get("managedFields") or ():
        if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply":
            keys |= {key[2:] for key in entry.get("fieldsV1", {}).get("f:data", {}) if key.startswith("f:")}
    return sorted(keys)


def read_plugin_pods(connection: Connection, namespace: str, config_map: str) -> t.List[dict]:
    """Return name, uid, node and trouble of each pod that mounts the ConfigMap: plugin, feature discovery and MPS daemon alike."""

    def record(pod: dict) -> t.Optional[dict]:
        spec, metadata = pod["spec"], pod["metadata"]
        if not any((volume.get("configMap") or {}).get("name") == config_map for volume in spec.get("volumes") or ()):
            return None
        reason, message = pending_reason(pod.get("status") or {})
        return {"name": metadata["name"], "uid": metadata["uid"], "node": spec.get("nodeName", ""), "trouble": " ".join(filter(None, (reason, message)))}

    return list_items(connection, "/api/v1/namespaces/%s/pods" % namespace, None, record)


def read_trouble(connection: Connection, namespace: str, config_map: str) -> t.List[dict]:
    """Return the plugin pods for a message about nodes, which must not be lost because the pods cannot be read."""
    try:
        return read_plugin_pods(connection, namespace, config_map)
    except ApiError:
        return []


def read_some(connection: Connection, names: t.Optional[t.Sequence[str]]) -> t.List[dict]:
    """Return the records of these nodes (None: of all); a node that is gone has none."""
    if names is None:
        return read_nodes(connection)
    records = (found(connection, "%s/%s" % (NODES, name)) for name in names)
    return [node_record(record) for record in records if record]


def read_mounting_daemon_sets(connection: Connection, namespace: str, config_map: str) -> t.List[str]:
    """Return the names of the DaemonSets whose pods mount the ConfigMap."""

    def name(daemon_set: dict) -> t.Optional[str]:
        volumes = daemon_set["spec"]["template"]["spec"].get("volumes") or ()
        return daemon_set["metadata"]["name"] if any((v.get("configMap") or {}).get("name") == config_map for v in volumes) else None

    return list_items(connection, "/apis/apps/v1/namespaces/%s/daemonsets" % namespace, None, name)
