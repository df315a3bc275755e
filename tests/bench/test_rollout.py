# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long 1,000 nodes take until all of them advertise their shares: real controllers and scheduler, simulated plugins, kubelet's delays.

No peer does this, and how fast nodes follow is not ours alone: the figures stand for themselves, once each.
"""

from __future__ import annotations

import pathlib
import subprocess

import pytest
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import cluster

from . import measure
from .test_gpu_sharing import playbook

NAME = "bench-rollout"
CHART = pathlib.Path(__file__).resolve().parents[2] / "roles" / "rehearsal" / "files" / "charts" / "nvidia-device-plugin"
NODES, GPUS = 1000, 2


@pytest.fixture(scope="module")
def made():
    # As on kubelets: 60 to 90 seconds until a changed ConfigMap reaches a running pod.
    try:
        yield cluster.up(NAME, [{"name": "gpu", "nodes": NODES, "model": "T4", "gpus": GPUS}], options=cluster.Options(large=True))
    finally:
        cluster.down(NAME)


def sharing(made, replicas, **more):
    config = {"name": "bench", "strategy": "time_slicing", "resources": [{"name": "nvidia.com/gpu", "replicas": replicas}]}
    where = {"kubeconfig": made.kubeconfig, "context": made.context}
    options = {"configs": [config], "default": "bench", "minimum_nodes": NODES, "wait_timeout": 3000}
    return {"gpuops.kubernetes.gpu_sharing": dict(where, **dict(options, **more))}


def advertised(made):
    found = [node["status"]["allocatable"].get("nvidia.com/gpu") for page in made.client().list_pages("/api/v1/nodes") for node in page["items"]]
    return {count: found.count(count) for count in found}


def test_the_time_until_all_nodes_advertise(made, publish, tmp_path):
    install = [made.helm, "upgrade", "--install", "nvidia-device-plugin", str(CHART), "--namespace", "nvidia-device-plugin"]
    install += ["--kubeconfig", made.kubeconfig, "--kube-context", made.context, "--set", "gfd.enabled=true,config.name=gpu-sharing"]
    measure.run(measure.Command("write", playbook(tmp_path, "write", sharing(made, 4, wait=False))))
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL)

    def all_at(count):
        return lambda output: all_nodes(count)

    def all_nodes(count):
        assert advertised(made) == {str(count): NODES}

    first = measure.run(measure.Command("first", playbook(tmp_path, "first", sharing(made, 4, state="ready")), check=all_at(4 * GPUS)))
    changed = measure.run(measure.Command("changed", playbook(tmp_path, "changed", sharing(made, 8)), check=all_at(8 * GPUS)))
    unchanged = measure.run(measure.Command("unchanged", playbook(tmp_path, "unchanged", sharing(made, 8)), check=all_at(8 * GPUS)))
    lines = ["until all %d nodes advertise their shares, whole processes" % NODES]
    for name, sample in (("chart installed, waited for", first), ("replicas changed, plugins restarted", changed), ("nothing to do", unchanged)):
        lines.append("%-46s %8.1f s, %6.1f s of CPU, %4.0f MiB" % (name, *sample))
    publish("\n".join(lines))
