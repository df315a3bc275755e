# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring the simulated nodes of a cluster to what is described: create, change, remove, wait until they are ready."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import quote

from .client import MERGE_PATCH, ApiError
from .errors import TestbedError
from .nodes import DECLARED, FAKE

CONNECTIONS = 16
_PROGRESS_SECONDS = 15.0


class FleetPlan(NamedTuple):
    """What has to happen to the nodes of a cluster."""

    create: list  # Node objects
    change: dict  # name -> {"node": merge patch or None, "status": merge patch or None}
    remove: list  # names

    def __bool__(self):
        return bool(self.create or self.change or self.remove)

    def lines(self):
        """Return the plan as short sentences."""
        return [
            "%s %d node%s (%s)" % (verb, len(names), "" if len(names) == 1 else "s", _few(names))
            for verb, names in (
                ("create", [node["metadata"]["name"] for node in self.create]),
                ("change", sorted(self.change)),
                ("remove", self.remove),
            )
            if names
        ]


def _few(names):
    return ", ".join(names) if len(names) <= 4 else "%s ... %s" % (names[0], names[-1])


def live_nodes(client):
    """Return the simulated nodes that the cluster has now."""
    found = []
    for page in client.list_pages("/api/v1/nodes"):
        found += [node for node in page["items"] if FAKE.items() <= node["metadata"].get("annotations", {}).items()]
    return found


def plan(live, wanted):
    """Return the FleetPlan that leads from the live nodes to the wanted ones; pure."""
    have = {node["metadata"]["name"]: node for node in live}
    names = {node["metadata"]["name"] for node in wanted}
    change = {}
    for node in wanted:
        name = node["metadata"]["name"]
        if name in have:
            patches = {"node": _node_patch(have[name], node), "status": _status_patch(have[name], node)}
            if any(patches.values()):
                change[name] = patches
    create = [node for node in wanted if node["metadata"]["name"] not in have]
    return FleetPlan(create, change, [name for name in sorted(have) if name not in names])


def _node_patch(live, wanted):
    """Return what differs in what we declare; labels, annotations and taints of others stay as they are."""
    before = json.loads(live["metadata"].get("annotations", {}).get(DECLARED, "{}"))
    metadata = {}
    for field in ("labels", "annotations"):
        has, wants = live["metadata"].get(field, {}), wanted["metadata"][field]
        patch = {key: value for key, value in wants.items() if has.get(key) != value}
        patch.update((key, None) for key in before.get(field, []) if key in has and key not in wants)
        if patch:
            metadata[field] = patch
    patch = {"metadata": metadata} if metadata else {}
    has, wants = live["spec"].get("taints", []), wanted["spec"].get("taints", [])
    ours = {_slot(taint) for taint in before.get("taints", []) + wants}
    merged = [taint for taint in has if _slot(taint) not in ours] + wants
    if sorted(map(_exactly, has)) != sorted(map(_exactly, merged)):
        patch["spec"] = {"taints": merged}
    return patch or None


def _slot(taint):
    return taint["key"], taint["effect"]


def _exactly(taint):
    return taint["key"], taint["effect"], taint.get("value", "")


def _status_patch(live, wanted):
    """Return what differs in cpu, memory and pods; extended resources are the simulator's."""
    patch = {}
    for field in ("capacity", "allocatable"):
        has = live.get("status", {}).get(field, {})
        differs = {key: value for key, value in wanted["status"][field].items() if _amount(has.get(key)) != _amount(value)}
        if differs:
            patch[field] = differs
    return {"status": patch} if patch else None


def _amount(quantity):
    """Return a quantity as a number: the server writes 1024Mi as 1Gi."""
    if quantity is None:
        return None
    digits = quantity.rstrip("KMGTik")
    unit = quantity[len(digits) :]
    return int(digits) * (1024 if unit.endswith("i") else 1000) ** (" KMGT".index(unit[0].upper()) if unit else 0)


def apply(client, fleet_plan, progress):
    """Carry out a plan over 16 connections; the first error ends it, and the next run continues where it stopped."""
    _each(fleet_plan.remove, lambda name: _remove(client, name), "removed", progress)
    _each(fleet_plan.create, lambda node: _create(client, node), "created", progress)
    _each(sorted(fleet_plan.change.items()), lambda item: _change(client, *item), "changed", progress)


def _each(items, function, verb, progress):
    if not items:
        return
    done, said = 0, time.monotonic()
    with ThreadPoolExecutor(min(CONNECTIONS, len(items))) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            for future in futures:
                future.result()
                done += 1
                if time.monotonic() - said >= _PROGRESS_SECONDS:
                    said = time.monotonic()
                    progress("%d of %d nodes %s" % (done, len(items), verb))
        except BaseException:
            for future in futures:
                future.cancel()
            raise


def _path(name):
    return "/api/v1/nodes/" + quote(name)


def _create(client, node):
    try:
        client.request("POST", "/api/v1/nodes", node)
    except ApiError as error:
        # An interrupted run may have written it after we looked.
        if error.reason != "AlreadyExists":
            raise


def _change(client, name, patches):
    if patches["node"]:
        client.request("PATCH", _path(name), patches["node"], MERGE_PATCH)
    if patches["status"]:
        client.request("PATCH", _path(name) + "/status", patches["status"], MERGE_PATCH)


def _remove(client, name):
    """Delete a node and the pods on it, which would otherwise stand for a minute on a node that is gone."""
    _ignoring_absence(client, _path(name))
    for page in client.list_pages("/api/v1/pods", query={"fieldSelector": "spec.nodeName=" + name}):
        for pod in page["items"]:
            meta = pod["metadata"]
            _ignoring_absence(client, "/api/v1/namespaces/%s/pods/%s" % (meta["namespace"], quote(meta["name"])), {"gracePeriodSeconds": 0})


def _ignoring_absence(client, path, options=None):
    try:
        client.request("DELETE", path, options)
    except ApiError as error:
        if error.status != 404:
            raise


def is_ready(node):
    """Tell whether the node's condition Ready is True and its taint for being new is gone."""
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in node.get("status", {}).get("conditions", []))
    new = any(taint["key"] == "node.kubernetes.io/not-ready" for taint in node["spec"].get("taints", []))
    return ready and not new


def wait_ready(client, names, check, progress, timeout):
    """Wait until all of these nodes are ready; `check` may raise when that cannot come any more."""
    deadline = said = time.monotonic()
    deadline += timeout
    while True:
        waiting, version = _unready(client, names)
        try:
            for node in _changes(client, version, waiting):
                now = time.monotonic()
                if node is None:
                    check()
                elif node["metadata"]["name"] in waiting and is_ready(node):
                    waiting.discard(node["metadata"]["name"])
                if waiting and now > deadline:
                    text = "%d of %d nodes are not ready after %d s (%s); fix: look at logs/kwok.log"
                    raise TestbedError(text % (len(waiting), len(names), timeout, _few(sorted(waiting))))
                if waiting and now - said >= _PROGRESS_SECONDS:
                    said = now
                    progress("%d of %d nodes ready" % (len(names) - len(waiting), len(names)))
            return
        except ApiError:
            # The watch is too old, or the server went away: the latter is for check to say.
            check()


def _unready(client, names):
    """Return the names of nodes that are missing or not ready, and the version of that list."""
    waiting, version = set(names), ""
    for page in client.list_pages("/api/v1/nodes"):
        waiting.difference_update(node["metadata"]["name"] for node in page["items"] if is_ready(node))
        version = page["metadata"]["resourceVersion"]
    return waiting, version


def _changes(client, version, waiting):
    """Yield nodes as they change, and None every few seconds, while anything is waited for."""
    # A watch, because listing thousands of nodes again and again would cost the server more than making them ready.
    while waiting:
        yield None
        for event in client.watch("/api/v1/nodes", version, timeout=2):
            version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] in ("ADDED", "MODIFIED"):
                yield event["object"]
            if not waiting:
                return
