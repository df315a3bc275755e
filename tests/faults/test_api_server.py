# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API server dies in the middle of a rollout: the run finishes or fails clearly, and the next one ends in the same state.

The module's own functions run here in this process, over a connection that counts writes; everything behind it is real.
"""

from __future__ import annotations

import pathlib
import random
import subprocess
import threading
import types

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster import connection as connections
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.modules import gpu_sharing
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import cluster as testbed

NAME = "faults-api-server"
CHART = pathlib.Path(__file__).resolve().parents[2] / "roles" / "rehearsal" / "files" / "charts" / "nvidia-device-plugin"
NODES = 12
POINTS = 12
SEED = 20261123


def by(name, replicas):
    return {"name": name, "strategy": "time_slicing", "resources": [{"name": "nvidia.com/gpu", "replicas": replicas}]}


BEFORE = {"configs": [by("all", 2), by("some", 3)], "default": "all", "node_configs": []}
AFTER = {"configs": [by("all", 4), by("some", 6)], "default": "all", "node_configs": [{"config": "some", "selector": "half=yes"}]}


@pytest.fixture(scope="module")
def fleet():
    nodes = [{"name": half, "nodes": NODES // 2, "model": "T4", "gpus": 2, "labels": {"half": half}} for half in ("yes", "no")]
    made = testbed.up(NAME, nodes, options=testbed.Options(configmap_delay=(1.0, 2.0)))
    try:
        install(made)
        yield made
    finally:
        testbed.down(NAME)


def install(made):
    run_sharing(made, BEFORE, wait=False)
    where = ["--kubeconfig", made.kubeconfig, "--kube-context", made.context, "--namespace", "nvidia-device-plugin"]
    values = ["--set", "gfd.enabled=true", "--set", "config.name=gpu-sharing"]
    command = [made.helm, "upgrade", "--install", "nvidia-device-plugin", str(CHART), "--wait", "--timeout", "5m"]
    subprocess.run(command + where + values, check=True, stdout=subprocess.DEVNULL)


def run_sharing(made, plan, wait=True):
    options = dict(plan, kubeconfig=made.kubeconfig, context=made.context, wait=wait, wait_timeout=180, wait_sleep=0.5, minimum_nodes=NODES)
    validated = ArgumentSpecValidator(gpu_sharing.argument_spec()).validate(options)
    assert not validated.error_messages
    return gpu_sharing.execute(types.SimpleNamespace(params=validated.validated_parameters, check_mode=False))


def state(made):
    """Return all that a rollout leaves: ConfigMap, labels and notes, and what the nodes advertise."""
    client = made.client()
    config_map = client.request("GET", "/api/v1/namespaces/nvidia-device-plugin/configmaps/gpu-sharing")
    nodes = {}
    for page in client.list_pages("/api/v1/nodes"):
        for node in page["items"]:
            labels = {key: value for key, value in node["metadata"]["labels"].items() if key.startswith("nvidia.com/")}
            labels.pop("nvidia.com/gfd.timestamp", None)
            notes = node["metadata"]["annotations"].get("gpuops.kubernetes/labels")
            nodes[node["metadata"]["name"]] = (labels, notes, node["status"]["allocatable"].get("nvidia.com/gpu"))
    return config_map["data"], config_map["metadata"].get("annotations"), nodes


class Saboteur:
    """A connection whose API server is killed at one write, right before or right after it, and started again a little later."""

    def __init__(self, inner, kill_at, after):
        self._inner, self._kill_at, self._after = inner, kill_at, after
        self._lock = threading.Lock()
        self.writes = 0
        self.killed = None

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def request(self, verb, path, *args, **more):
        review = path.endswith("selfsubjectaccessreviews")
        hit = False
        if verb != "GET" and not review:
            with self._lock:
                self.writes += 1
                hit = self.writes == self._kill_at
        if hit and not self._after:
            self.kill()
        answer = self._inner.request(verb, path, *args, **more)
        if hit and self._after:
            self.kill()
        return answer

    def kill(self):
        testbed.kill_api_server(NAME)
        self.killed = threading.Thread(target=testbed.start_api_server, args=(NAME,))
        self.killed.start()


def sabotaged(monkeypatch, kill_at, after, retry_for):
    made = []

    def connect(params, concurrency=16):
        made.append(Saboteur(connections.connect(dict(params, retry_for=retry_for), concurrency), kill_at, after))
        return made[-1]

    monkeypatch.setattr(gpu_sharing, "connect", connect)
    return made


def points(writes):
    """Return kill points spread over all writes, one drawn from each of POINTS equal parts."""
    draw = random.Random(SEED)
    return [1 + min(writes - 1, int((part + draw.random()) * writes / POINTS)) for part in range(POINTS)]


def test_a_killed_api_server_changes_nothing_about_the_end(fleet, monkeypatch):
    run_sharing(fleet, BEFORE)
    with monkeypatch.context() as patch:
        watched = sabotaged(patch, kill_at=0, after=False, retry_for=30.0)
        run_sharing(fleet, AFTER)
    wanted, writes = state(fleet), watched[0].writes
    assert writes > 2 * NODES
    outcomes = []
    for number, point in enumerate(points(writes)):
        run_sharing(fleet, BEFORE)
        with monkeypatch.context() as patch:
            # Every other run has no patience, so that it fails where the others finish.
            watched = sabotaged(patch, point, after=bool(number & 1), retry_for=30.0 if number & 2 else 0.2)
            try:
                run_sharing(fleet, AFTER)
                outcomes.append("finished")
            except GpuOpsError as error:
                assert fleet.server in error.message and ("cannot be reached" in error.message or "5" in error.message), error.message
                outcomes.append("failed")
            assert watched[0].killed is not None, "write %d of %d never came" % (point, writes)
            watched[0].killed.join()
        run_sharing(fleet, AFTER)
        assert state(fleet) == wanted, "after a kill at write %d of %d" % (point, writes)
        assert not run_sharing(fleet, AFTER)["changed"]
    assert set(outcomes) == {"finished", "failed"}, outcomes
