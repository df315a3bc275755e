# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Write what a sharing plan says, in an order that any interruption leaves repeatable."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.access import Access
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import APPLY_PATCH, FIELD_MANAGER, ApiError, Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.patch import Write, pointer, write_all
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.inventory import CONFIG
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.sharing import PENDING, NodeWrite, Plan, Removal
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.nodes import NODES, OWNED_LABELS
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.sharing import MANAGED_BY, config_map_path, read_plugin_pods


def needed_access(plan: Plan, namespace: str) -> t.List[Access]:
    """Return the rights that this plan needs, and no others."""
    needed = []
    if plan.create_namespace:
        needed.append(Access("create", "namespaces"))
    if plan.write_config_map or plan.pending:
        needed += [Access("patch", "configmaps", namespace=namespace), Access("create", "configmaps", namespace=namespace)]
    if plan.labels:
        needed.append(Access("patch", "nodes"))
    if plan.restart:
        needed += [Access("list", "pods", namespace=namespace), Access("delete", "pods", namespace=namespace)]
    return needed


def removal_access(removal: Removal, namespace: str) -> t.List[Access]:
    needed = [Access("patch", "nodes")] * bool(removal.labels)
    return needed + ([Access("patch" if removal.left else "delete", "configmaps", namespace=namespace)] if removal.config_map else [])


def apply_plan(connection: Connection, plan: Plan, namespace: str, name: str, desired_data: t.Dict[str, str], concurrency: int) -> None:
    """ConfigMap with a note of the restarts that are due, node labels, restarts, and the note taken off again.

    The note is written before the work it speaks of: a run that ends half way leaves it, and the next run does what it says.

    Raises: GpuOpsError that names every node whose write failed, after all others were written; its C(changed) says whether anything was.
    """
    _in_order(
        [
            (plan.create_namespace, lambda: create_namespace(connection, namespace)),
            (plan.write_config_map, lambda: apply_config_map(connection, namespace, name, desired_data, plan.pending)),
            (plan.labels, lambda: label_nodes(connection, plan.labels, concurrency)),
            (plan.restart, lambda: restart_plugins(connection, namespace, name, plan.restart, concurrency)),
            (plan.pending, lambda: apply_config_map(connection, namespace, name, desired_data, [])),
        ]
    )


def _in_order(steps: t.Sequence[t.Tuple[t.Any, t.Callable[[], None]]]) -> None:
    """Take each step that is needed; the error of one says also whether a step before it changed something."""
    done = False
    for needed, step in steps:
        if needed:
            try:
                step()
            except GpuOpsError as error:
                error.details["changed"] = done or error.details.get("changed", False)
                raise
            done = True


def create_namespace(connection: Connection, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {MANAGED_BY: FIELD_MANAGER}}}
    try:
        connection.request("POST", "/api/v1/namespaces", {"fieldManager": FIELD_MANAGER}, body)
    except ApiError as error:
        if error.status != 409:
            raise


def apply_config_map(
    connection: Connection, namespace: str, name: str, data: t.Dict[str, str], pending: t.Sequence[str], dry_run: bool = False
) -> None:
    """Server-side apply: keys of other managers stay, keys that we no longer set go."""
    annotations = {PENDING: ",".join(pending)} if pending else {}
    metadata = {"name": name, "namespace": namespace, "labels": {MANAGED_BY: FIELD_MANAGER}, "annotations": annotations}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    query = {"fieldManager": FIELD_MANAGER, "force": "true"}
    if dry_run:
        query["dryRun"] = "All"
    connection.request("PATCH", config_map_path(namespace, name), query, body, APPLY_PATCH)


def label_nodes(connection: Connection, labels: t.Sequence[NodeWrite], concurrency: int) -> None:
    failed = write_all(connection, [Write(node.name, "PATCH", "%s/%s" % (NODES, node.name), label_patch(node)) for node in labels], concurrency)
    # A node that is gone needs no label.
    _complain({node: error for node, error in failed.items() if error.status != 404}, len(labels), "label")


def label_patch(node: NodeWrite) -> t.List[dict]:
    """Return a JSON Patch that only fits the label value that the plan saw.

    A test on resourceVersion would not do: heartbeats change it all the time.
    """
    label = "/metadata/labels/" + pointer(CONFIG)
    owned = "/metadata/annotations/" + pointer(OWNED_LABELS)
    patch: t.List[dict] = [{"op": "test", "path": label, "value": node.seen}]
    if node.wanted is not None:
        patch.append({"op": "add", "path": label, "value": node.wanted})
    elif node.seen is not None:
        patch.append({"op": "remove", "path": label})
    if not node.annotated:
        # Who annotated it first, meanwhile, must not lose that.
        patch.append({"op": "test", "path": "/metadata/annotations", "value": None})
        patch.append({"op": "add", "path": "/metadata/annotations", "value": {}})
    if node.owned:
        patch.append({"op": "add", "path": owned, "value": ",".join(node.owned)})
    else:
        patch.append({"op": "remove", "path": owned})
    return patch


def restart_plugins(connection: Connection, namespace: str, config_map: str, nodes: t.Sequence[str], concurrency: int) -> None:
    """Delete the pods on these nodes that mount the ConfigMap; their DaemonSets start new ones, which see its new content at once.

    Nothing else makes the plugin read it: its config manager watches the node's label only (k8s-device-plugin v0.20.0).
    """
    chosen = set(nodes)
    pods = [pod for pod in read_plugin_pods(connection, namespace, config_map) if pod["node"] in chosen]
    path = "/api/v1/namespaces/%s/pods/" % namespace
    content_type = "application/json"
    writes = [Write(pod["name"], "DELETE", path + pod["name"], {"preconditions": {"uid": pod["uid"]}}, content_type) for pod in pods]
    failed = write_all(connection, writes, concurrency)
    # Gone, or replaced by a newer pod: both are what was wanted.
    _complain({pod: error for pod, error in failed.items() if error.status not in (404, 409)}, len(pods), "restart")


def remove(connection: Connection, removal: Removal, namespace: str, name: str, concurrency: int) -> None:
    """Take off our node labels, then our part of the ConfigMap."""
    _in_order(
        [
            (removal.labels, lambda: label_nodes(connection, removal.labels, concurrency)),
            (removal.config_map, lambda: remove_config_map(connection, namespace, name, removal.left)),
        ]
    )


def remove_config_map(connection: Connection, namespace: str, name: str, left: t.Dict[str, str]) -> None:
    """Delete the ConfigMap, or only what is ours in it where others have keys there."""
    path = config_map_path(namespace, name)
    try:
        if left:
            # Server-side apply takes off what its manager no longer names.
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}
            connection.request("PATCH", path, {"fieldManager": FIELD_MANAGER, "force": "true"}, body, APPLY_PATCH)
        else:
            connection.request("DELETE", path)
    except ApiError as error:
        if error.status != 404:
            raise


class Conflict(GpuOpsError):
    """A node's label was changed by somebody else between observation and write."""


def _complain(failed: t.Dict[str, ApiError], count: int, what: str) -> None:
    if not failed:
        return
    lines = ["%d of %d objects could not be changed (%s); the others were, and the next run continues:" % (len(failed), count, what)]
    lines += ["- %s: %s" % (name, failed[name].message) for name in sorted(failed)[:20]]
    lines += ["- and %d more" % (len(failed) - 20)] if len(failed) > 20 else []
    error = Conflict if all(error.status in (409, 422) for error in failed.values()) else GpuOpsError
    raise error("\n".join(lines), failed=sorted(failed), changed=len(failed) < count)
