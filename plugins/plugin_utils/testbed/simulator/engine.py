# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator's I/O: it watches the cluster, has node.decide think, and writes what came out."""

from __future__ import annotations

import random
import threading
import time
from urllib.parse import quote

from ..client import MERGE_PATCH, ApiError, Client
from . import events, node as nodes, status
from .store import Store
from .work import Work

WRITERS = 16
_MARKER = "/api/v1/namespaces/kube-system/configmaps/gpuops-testbed"
_MARKER_SECONDS = 120.0
_RETRY_SECONDS = 1.0
_TOLD = 20000
_LISTED = ("nodes", "pods", "daemonsets")


class NotOurs(Exception):
    """The cluster is not the one that this simulator was started for."""


class Engine:
    """Plays the GPU components of one testbed cluster until it is stopped."""

    def __init__(self, settings, log=print, client=None):
        self._settings = settings
        self._log = log
        self._client = client or _client(settings)
        self._work = Work()
        self._store = Store(self._work.put)
        self._memories = {}
        self._random = random.Random()
        self._stop = threading.Event()
        self._listed = {name: threading.Event() for name in _LISTED}
        self._followed = set()
        self._told = {}  # uid of a pod -> the last event about it
        self.failure = None

    def run(self):
        """Work until stop() is called; raise NotOurs when the cluster is another one."""
        self._await_marker()
        self._log("simulating GPUs on %s (instance %s)" % (self._settings.server, self._settings.instance))
        self._thread(self._follow, "/api/v1/nodes", None, self._replace_nodes, self._store.change_node, "nodes")
        bound = {"fieldSelector": "spec.nodeName!="}
        self._thread(self._follow, "/api/v1/pods", bound, self._store.replace_pods, self._store.change_pod, "pods")
        self._thread(self._follow, "/apis/apps/v1/daemonsets", None, self._store.replace_owners, self._store.change_owner, "daemonsets")
        # Half a picture would look like plugins that are gone.
        for each in self._listed.values():
            while not each.wait(0.5):
                if self._stop.is_set():
                    return
        self._follow_config_maps()
        for unused in range(WRITERS):
            self._thread(self._write)
        while not self._stop.wait(0.2):
            self._follow_config_maps()
        self._work.close()
        if self.failure:
            raise self.failure

    def stop(self):
        """Have run() return."""
        self._stop.set()

    def _thread(self, function, *arguments):
        threading.Thread(target=function, args=arguments, daemon=True).start()

    def _await_marker(self):
        """Wait until the cluster bears the testbed's mark, which comes just after the processes have started."""
        deadline = time.monotonic() + _MARKER_SECONDS
        while not self._stop.is_set():
            try:
                self._check_marker()
                return
            except ApiError as error:
                if time.monotonic() > deadline:
                    raise NotOurs("the cluster at %s has no mark of a testbed: %s" % (self._settings.server, error)) from error
            self._stop.wait(0.2)

    def _check_marker(self):
        found = self._client.request("GET", _MARKER).get("data", {}).get("instance")
        if found != self._settings.instance:
            text = "the cluster at %s is instance %s of a testbed, not %s"
            raise NotOurs(text % (self._settings.server, found, self._settings.instance))

    def _replace_nodes(self, objects):
        # A list is read anew after a break: another cluster may have taken the port.
        self._check_marker()
        self._store.replace_nodes(objects)

    def _follow(self, path, query, replace, change, name=None):
        """Keep a kind of objects up to date: list, watch, and list again when the watch cannot go on."""
        version = None
        while not self._stop.is_set():
            try:
                if version is None:
                    version = self._list(path, query, replace)
                    if name:
                        self._listed[name].set()
                for event in self._client.watch(path, version, query):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        change(event["type"], event["object"])
            except NotOurs as error:
                self.failure = error
                self._stop.set()
            except ApiError as error:
                # A server that went away still has our place in the history when it comes back.
                if error.status != 0:
                    version = None
                if error.status not in (0, 410):
                    self._log("%s: %s" % (path, error))
                self._stop.wait(0.2 + self._random.random())
            except Exception as error:  # an object or a line that cannot be understood must not end the watch for good
                version = None
                self._log("%s: %s: %s" % (path, type(error).__name__, error))
                self._stop.wait(1.0)

    def _list(self, path, query, replace):
        versions = []

        def items():
            # Page by page: the complete objects of a large cluster are not to be in memory at once.
            for page in self._client.list_pages(path, query=query):
                versions.append(page["metadata"]["resourceVersion"])
                yield from page["items"]

        replace(items())
        return versions[-1]

    def _follow_config_maps(self):
        """Watch each ConfigMap that a component mounts; there are few of them, however many nodes there are."""
        for key in self._store.mounts() - self._followed:
            self._followed.add(key)
            namespace, name = key

            def replace(objects, key=key):
                found = list(objects)
                self._store.change_config_map(key, found[0].get("data") or {} if found else None)

            def change(kind, item, key=key):
                self._store.change_config_map(key, None if kind == "DELETED" else item.get("data") or {})

            path = "/api/v1/namespaces/%s/configmaps" % quote(namespace)
            self._thread(self._follow, path, {"fieldSelector": "metadata.name=" + name}, replace, change)

    def _write(self):
        """Take one node after the other and write what it needs."""
        while True:
            name = self._work.take()
            if name is None:
                return
            try:
                self._settle(name)
            except ApiError as error:
                if error.status not in (0, 404, 409, 429):
                    self._log("%s: %s" % (name, error))
                self._work.at(name, time.time() + _RETRY_SECONDS)
            except Exception as error:  # one node that cannot be understood must not end a worker
                self._log("%s: %s: %s" % (name, type(error).__name__, error))
            finally:
                self._work.done(name)

    def _settle(self, name):
        low, high = self._settings.configmap_delay
        node, pods, around = self._store.surroundings(
            name, now=time.time(), pace=self._settings.pace, delay=lambda: self._random.uniform(low, high)
        )
        if node is None:
            self._memories.pop(name, None)
            return
        memory, outcome = nodes.decide(node, pods, self._memories.get(name), around)
        self._memories[name] = memory
        self._work.at(name, outcome.wake_at)
        path = "/api/v1/nodes/" + quote(name)
        for patch, where in ((outcome.node_patch, path), (outcome.status_patch, path + "/status")):
            if patch:
                # The uid keeps the write from a node of the same name that came after this one.
                patch = dict(patch, metadata=dict(patch.get("metadata", {}), uid=node.uid))
                self._store.change_node("MODIFIED", self._client.request("PATCH", where, patch, MERGE_PATCH))
        for write in outcome.pods:
            self._write_pod(write)

    def _write_pod(self, write):
        """Write one pod's status, by what it is now."""
        path = "/api/v1/namespaces/%s/pods/%s" % (quote(write.pod.namespace), quote(write.pod.name))
        try:
            now = self._client.request("GET", path)
            patch = _pod_patch(now, write)
            if patch is None or now["metadata"]["uid"] != write.pod.uid:
                self._store.change_pod("MODIFIED", now)
                return
            patch["metadata"] = {"uid": write.pod.uid}
            self._store.change_pod("MODIFIED", self._client.request("PATCH", path + "/status", patch, MERGE_PATCH))
            self._tell(write)
        except ApiError as error:
            # The pod, or its whole namespace, may be on its way out.
            if error.status not in (403, 404, 409):
                raise

    def _tell(self, write):
        """Write the event that belongs to a change, unless it is the same as the last about this pod."""
        event = events.of(write, time.time())
        if event and self._told.get(write.pod.uid) != event["message"]:
            if len(self._told) > _TOLD:
                self._told.clear()
            self._told[write.pod.uid] = event["message"]
            self._client.request("POST", "/api/v1/namespaces/%s/events" % quote(write.pod.namespace), event)


def _client(settings):
    return Client(settings.server, settings.token, settings.ca_file, connections=WRITERS + 8, user_agent="gpuops-simulator")


def _pod_patch(now, write):
    """Return the merge patch that a pod still needs, or None."""
    actual = status.summary(now.get("status", {}))
    if write.kind == nodes.REJECT:
        return None if actual[0] == "Failed" else status.rejected(write.content, time.time())
    if write.kind == nodes.RELEASE:
        return status.release_patch() if status.is_held(actual) else None
    return status.patch(now, write.content, time.time()) if status.differs(actual, write.content) else None
