# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets for the measurements: simulated nodes, and pods that KWOK runs on them."""

from __future__ import annotations

import concurrent.futures
import pathlib
import typing as t

import pytest
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import cluster
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.client import ApiError
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.fleet import is_ready

REPORT = pathlib.Path(__file__).resolve().parents[2] / ".build" / "reports" / "bench.txt"


class Fleet(t.NamedTuple):
    """A cluster of simulated nodes with GPU pods on them."""

    cluster: t.Any
    client: t.Any
    nodes: t.List[str]

    def each(self, names: t.Iterable[str], call: t.Callable[[str], None]) -> None:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(call, names))


def advertise(client: t.Any, name: str) -> None:
    """Give a node what GPU feature discovery and the device plugin would; without simulated hardware the simulator leaves it alone."""
    labels = {"nvidia.com/gpu.present": "true", "nvidia.com/gpu.count": "8", "nvidia.com/gpu.product": "Tesla-T4"}
    labels.update({"nvidia.com/gpu.replicas": "1", "nvidia.com/gpu.sharing-strategy": "none"})
    client.request("PATCH", "/api/v1/nodes/" + name, {"metadata": {"labels": labels}}, "application/merge-patch+json")
    resources = {"nvidia.com/gpu": "8"}
    status = {"status": {"capacity": resources, "allocatable": resources}}
    client.request("PATCH", "/api/v1/nodes/%s/status" % name, status, "application/merge-patch+json")


def pod(number: int, node: str) -> dict:
    limits = {"limits": {"nvidia.com/gpu": "1"}}
    container = {"name": "c", "image": "bench", "resources": limits, "env": [{"name": "NUMBER", "value": str(number)}]}
    return {"metadata": {"name": "pod-%05d" % number}, "spec": {"nodeName": node, "containers": [container]}}


@pytest.fixture(scope="module")
def fleet(request):
    """Return a fleet of C(request.param) = (nodes, pods)."""
    count, pods = request.param
    name = "bench-%d" % count
    made = cluster.up(name, [{"name": "gpu", "nodes": count}], options=cluster.Options(large=True))
    try:
        found = Fleet(made, made.client(), list(made.nodes))
        found.each(found.nodes, lambda node: advertise(found.client, node))
        found.each(range(pods), lambda number: create_pod(found, number))
        live = [node for page in found.client.list_pages("/api/v1/nodes") for node in page["items"]]
        assert len(live) == count and all(map(is_ready, live)), "a fleet that is not ready measures something else"
        yield found
    finally:
        cluster.down(name)


def create_pod(found: Fleet, number: int) -> None:
    try:
        found.client.request("POST", "/api/v1/namespaces/default/pods", pod(number, found.nodes[number % len(found.nodes)]))
    except ApiError as error:
        if error.status != 409:
            raise


@pytest.fixture
def publish(capsys):
    """Print a table at once, and keep it for whoever reads the run later."""

    def show(text: str) -> None:
        with capsys.disabled():
            print("\n" + text, flush=True)
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        with REPORT.open("a", encoding="utf-8") as stream:
            stream.write(text + "\n\n")

    return show
