# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""The objects of a GPU validation: make them, and take everything away again."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.access import Access
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import APPLY_PATCH, FIELD_MANAGER, ApiError, Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.pages import list_items
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.patch import Write, write_all
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.wait import wait_for
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import validation_pods as pods
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.validation import Check
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe import validation as observe
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.sharing import found

JSON = "application/json"
POLL = 1.0
# Pods end within seconds; a node that is gone keeps its pods until somebody decides, so clean-up does not wait for ever.
CLEAN_UP = 120.0
GROUP = {"jobs": "batch", "priorityclasses": "scheduling.k8s.io"}


def needed_access(shape: pods.Shape, seen: observe.Seen, reads_logs: bool) -> t.List[Access]:
    """Return the rights that a run needs, its clean-up included."""
    inside = [("pods", verb) for verb in ("create", "list", "delete")] + [("events", "list")]
    if shape.kind == "job":
        inside += [("jobs", verb) for verb in ("create", "list", "delete")]
    if reads_logs:
        inside.append(("pods/log", "get"))
    outside = []
    if seen.home is None or pods.is_ours(seen.home):
        outside += [("namespaces", verb) for verb in ("get", "create", "patch", "delete")]
    if shape.priority_class:
        outside += [("priorityclasses", verb) for verb in ("get", "create", "delete")]
    needed = [Access(verb, resource, GROUP.get(resource, ""), shape.namespace) for resource, verb in inside]
    return needed + [Access(verb, resource, GROUP.get(resource, "")) for resource, verb in outside]


def prepare(connection: Connection, shape: pods.Shape, deadline: float, concurrency: int) -> None:
    """Remove what an earlier run left, then make the namespace and, where pods need one, the priority class."""
    if remove_pods(connection, shape.namespace, deadline, concurrency) is False:
        raise GpuOpsError("GPU validation: pods of an earlier run in namespace %s do not go away. Fix: look at their nodes." % shape.namespace)
    path = observe.namespace_path(shape.namespace)

    def gone() -> bool:
        home = found(connection, path)
        return home is None or not home["metadata"].get("deletionTimestamp")

    if not wait_for(gone, bool, timeout=deadline - time.monotonic(), sleep=POLL)[0]:
        raise GpuOpsError("GPU validation: namespace %s is being deleted and does not go away. Fix: look at its finalizers." % shape.namespace)
    labels = observe.labels_of(connection, path)
    if labels is None or pods.is_ours(labels):
        body = pods.namespace_manifest(shape.namespace, pods.security_level(shape.workload))
        connection.request("PATCH", path, {"fieldManager": FIELD_MANAGER, "force": "true"}, body, APPLY_PATCH)
    if shape.priority_class:
        _create(connection, observe.PRIORITY_CLASSES, pods.priority_class_manifest(shape.priority_class))


def _create(connection: Connection, path: str, body: dict) -> None:
    try:
        connection.request("POST", path, {"fieldManager": FIELD_MANAGER}, body)
    except ApiError as error:
        if error.status != 409:
            raise


def create(connection: Connection, checks: t.Sequence[Check], shape: pods.Shape, deadline: float, concurrency: int) -> None:
    """Create the pods, or the jobs.

    A new namespace has no service account for a moment, in which the server refuses pods.

    Raises: GpuOpsError with the first refusal.
    """
    path = observe.jobs_path(shape.namespace) if shape.kind == "job" else observe.pods_path(shape.namespace)
    query = {"fieldManager": FIELD_MANAGER}
    writes = [Write(check.name, "POST", path, pods.manifest(check, shape), JSON, query) for check in checks]
    while writes:
        # 409: an answer got lost, and the request was sent again.
        failed = {name: error for name, error in write_all(connection, writes, concurrency).items() if error.status != 409}
        early = {name for name, error in failed.items() if error.status == 403 and "serviceaccount" in error.message.replace(" ", "")}
        writes = [write for write in writes if write.name in failed]
        if set(failed) - early or (early and time.monotonic() > deadline):
            name = sorted(set(failed) - early or early)[0]
            text = "GPU validation: %d of %d pods could not be created; the first: %s" % (len(failed), len(checks), failed[name].message)
            raise GpuOpsError(text, status=failed[name].status)
        if writes:
            time.sleep(POLL)


def remove_pods(connection: Connection, namespace: str, deadline: float, concurrency: int) -> t.Optional[bool]:
    """Delete all jobs and pods of validations in a namespace; return whether they went away, None where there were none."""
    found_any = None
    for path in (observe.jobs_path(namespace), observe.pods_path(namespace)):
        if not _names(connection, path):
            continue
        left = wait_for(lambda place=path: _delete_all(connection, place, concurrency), bool, timeout=max(deadline - time.monotonic(), POLL), sleep=0.2)
        if not left[0]:
            return False
        found_any = True
    return found_any


def _names(connection: Connection, path: str) -> t.List[t.Tuple[str, bool]]:
    """Return the name of each object of ours, and whether it is going already; none where we may not look, for there we made none."""
    try:
        query = {"labelSelector": pods.SELECTOR}
        return list_items(connection, path, query, lambda item: (item["metadata"]["name"], "deletionTimestamp" in item["metadata"]))
    except ApiError as error:
        if error.status == 403:
            return []
        raise


def _delete_all(connection: Connection, path: str, concurrency: int) -> bool:
    names = _names(connection, path)
    body = {"propagationPolicy": "Background"}
    write_all(connection, [Write(name, "DELETE", "%s/%s" % (path, name), body, JSON) for name, going in names if not going], concurrency)
    return not names


def clean_up(connection: Connection, namespace: str, concurrency: int, dry_run: bool = False) -> t.Tuple[t.List[str], t.List[str]]:
    """Remove all that validations made for a namespace; return what was removed, and what is left and why.

    Never raises GpuOpsError: it runs while another error is on its way.
    """
    removed: t.List[str] = []
    left: t.List[str] = []
    deadline = time.monotonic() + CLEAN_UP
    try:
        _remove_ours(connection, namespace, concurrency, deadline, dry_run, removed, left)
    except GpuOpsError as error:
        left.append("what could not be reached: %s" % error.message)
    return removed, left


def _remove_ours(
    connection: Connection, namespace: str, concurrency: int, deadline: float, dry_run: bool, removed: t.List[str], left: t.List[str]
) -> None:
    inside = "pods in namespace %s" % namespace
    if any(_names(connection, path) for path in (observe.jobs_path(namespace), observe.pods_path(namespace))):
        removed.append(inside)
        if not dry_run and remove_pods(connection, namespace, deadline, concurrency) is False:
            left.append(inside + ", which do not end")
    name = pods.priority_class_name(namespace)
    if _is_ours(connection, "%s/%s" % (observe.PRIORITY_CLASSES, name)):
        removed.append("PriorityClass %s" % name)
        if not dry_run:
            _delete(connection, "%s/%s" % (observe.PRIORITY_CLASSES, name))
    path = observe.namespace_path(namespace)
    if not _is_ours(connection, path):
        return
    if observe.has_foreign_pods(connection, namespace):
        left.append("namespace %s, in which pods of others run" % namespace)
        return
    removed.append("namespace %s" % namespace)
    if not dry_run:
        _delete(connection, path)
        wait = max(deadline - time.monotonic(), POLL)
        if not wait_for(lambda: found(connection, path), lambda home: home is None, timeout=wait, sleep=0.2)[0]:
            left.append("namespace %s, which is still being deleted" % namespace)


def _is_ours(connection: Connection, path: str) -> bool:
    try:
        return pods.is_ours(observe.labels_of(connection, path))
    except ApiError as error:
        if error.status == 403:
            return False
        raise


def _delete(connection: Connection, path: str) -> None:
    try:
        connection.request("DELETE", path)
    except ApiError as error:
        if error.status != 404:
            raise
