# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the simulator knows of the cluster: condensed objects, indexed by node; every change names the nodes it concerns."""

from __future__ import annotations

import threading

from . import node as nodes, pods as podviews, status
from .pods import NFD_MASTER

_DELETED = "DELETED"


class Store:
    """Nodes, pods, ConfigMaps and DaemonSets as last seen; may be used from many threads at once."""

    def __init__(self, touch):
        self._touch = touch  # (node name) -> None
        self._lock = threading.RLock()
        self._nodes = {}  # name -> (resourceVersion, NodeView)
        self._pods = {}  # uid -> (resourceVersion, PodView)
        self._by_node = {}  # node name -> {uid: PodView}
        self._config_maps = {}  # (namespace, name) -> data or None
        self._mounts = {}  # (namespace, name) -> names of nodes
        self._owners = set()  # uids of DaemonSets
        self._masters = set()
        self._prunes = set()

    def surroundings(self, name, **more):
        """Return (NodeView or None, its pods, Surroundings)."""
        with self._lock:
            found = self._nodes.get(name)
            pods = list(self._by_node.get(name, {}).values())
            wanted = {(pod.namespace, podviews.mounted(pod)) for pod in pods}
            maps = {key: self._config_maps[key] for key in wanted if key in self._config_maps}
            around = nodes.Surroundings(
                config_maps=maps,
                master=bool(self._masters),
                owners=frozenset(self._owners),
                prunes=frozenset(self._prunes),
                **more,
            )
            return (found[1] if found else None), pods, around

    def node_names(self):
        """Return the names of all simulated nodes."""
        with self._lock:
            return list(self._nodes)

    def mounts(self):
        """Return the (namespace, name) of every ConfigMap that a component mounts."""
        with self._lock:
            return set(self._mounts)

    def replace_nodes(self, objects):
        """Take over a complete list of nodes, which may still be on its way."""
        with self._lock:
            gone = set(self._nodes)
        for item in objects:
            gone.discard(item["metadata"]["name"])
            self.change_node("ADDED", item)
        with self._lock:
            for name in gone:
                self._nodes.pop(name, None)
                self._touch(name)

    def change_node(self, kind, item):
        """Take over one node."""
        name = item["metadata"]["name"]
        with self._lock:
            if kind == _DELETED:
                self._nodes.pop(name, None)
                self._touch(name)
                return
            version, view = _version(item), nodes.view(item)
            known = self._nodes.get(name)
            if known and known[0] >= version and known[1].uid == view.uid:
                return
            if not view.fake:
                self._nodes.pop(name, None)
                return
            self._nodes[name] = (version, view)
            if known is None or known[1] != view:
                self._touch(name)

    def replace_pods(self, objects):
        """Take over a complete list of bound pods, which may still be on its way."""
        with self._lock:
            gone = set(self._pods)
        for item in objects:
            gone.discard(item["metadata"]["uid"])
            self.change_pod("ADDED", item)
        with self._lock:
            for uid in gone:
                self._forget_pod(uid)

    def change_pod(self, kind, item):
        """Take over one pod; one that is being deleted has no processes any more."""
        uid = item["metadata"]["uid"]
        with self._lock:
            if kind == _DELETED or item["metadata"].get("deletionTimestamp"):
                self._forget_pod(uid)
                return
            known, version = self._pods.get(uid), _version(item)
            if known and known[0] >= version:
                return
            view = podviews.view(item, status.summary)
            if view is None or not view.node:
                return
            self._pods[uid] = (version, view)
            self._by_node.setdefault(view.node, {})[uid] = view
            name = podviews.mounted(view)
            if name:
                self._mounts.setdefault((view.namespace, name), set()).add(view.node)
            if view.program == NFD_MASTER:
                self._change_master(uid, view)
            if known is None or known[1] != view:
                self._touch(view.node)

    def _forget_pod(self, uid):
        known = self._pods.pop(uid, None)
        if known is None:
            return
        view = known[1]
        self._by_node.get(view.node, {}).pop(uid, None)
        if uid in self._masters:
            self._masters.discard(uid)
            self._touch_all()
        self._touch(view.node)

    def _change_master(self, uid, view):
        if podviews.is_prune(view):
            if view.phase in ("Running", "Succeeded") and uid not in self._prunes:
                self._prunes.add(uid)
                self._touch_all()
            return
        before = bool(self._masters)
        (self._masters.add if view.phase == "Running" else self._masters.discard)(uid)
        if bool(self._masters) != before:
            self._touch_all()

    def change_config_map(self, key, data):
        """Take over the data of one ConfigMap; None when there is none."""
        with self._lock:
            if key in self._config_maps and self._config_maps[key] == data:
                return
            self._config_maps[key] = data
            for name in self._mounts.get(key, ()):
                self._touch(name)

    def replace_owners(self, objects):
        """Take over a complete list of DaemonSets."""
        with self._lock:
            before = self._owners
            self._owners = {item["metadata"]["uid"] for item in objects}
            if before - self._owners:
                self._touch_all()

    def change_owner(self, kind, item):
        """Take over one DaemonSet."""
        uid = item["metadata"]["uid"]
        with self._lock:
            if kind == _DELETED:
                self._owners.discard(uid)
                self._touch_all()
            else:
                self._owners.add(uid)

    def _touch_all(self):
        for name in self._nodes:
            self._touch(name)


def _version(item):
    return int(item["metadata"].get("resourceVersion") or 0)
