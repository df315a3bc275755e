# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml from bare hosts to shared and proved GPUs, with the inventories as they are written. The GPUs are simulated."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
import yaml
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import binaries, paths
from kubernetes import client as kubernetes
from kubernetes import config
from tests.hosts import fleet, gpus, machine, records, standin_build

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "hosts" / "inventory.py"
CHART = ROOT / "roles" / "rehearsal" / "files" / "charts" / "nvidia-device-plugin"
CHART_VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["version"]
VERSION = "v1.35.6+k3s1"
GPU = "nvidia.com/gpu"


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    directory = tmp_path_factory.mktemp("mirror")
    standin_build.build(directory, [VERSION], architectures=("amd64",))
    return directory


@pytest.fixture
def bare():
    """Return bare(names): fresh hosts with these names, which end with the test."""
    made = []

    def make(names):
        try:
            fleet.down(names)
            made.extend(names)
            return fleet.up(names, records.Options(mounts=((str(paths.cache_root() / "bin"), "/opt/standin/bin"),)))
        except machine.NotPossible as reason:
            pytest.skip("no test hosts here: %s" % reason)

    yield make
    fleet.down(made)


@pytest.mark.parametrize(("inventory", "cluster", "names"), [
    ("single_node_k3s", "single", ["gpu-1"]),
    ("k3s_two_nodes", "pair", ["server-1", "gpu-1"]),
])
def test_bare_hosts_become_a_cluster_whose_gpus_are_shared_and_proved(bare, mirror, player, tmp_path, inventory, cluster, names):
    bare(names)
    kubeconfig = tmp_path / "kubeconfigs" / (cluster + ".yaml")
    given = {"k3s_artifact_url": str(mirror), "k3s_ignored_checks": ["disk", "memory", "swap"], "gpu_kubeconfig_dir": str(kubeconfig.parent),
             "gpu_helm_binary": binaries.Finder(print).get(("helm",))["helm"].path, "gpu_report_path": str(tmp_path / "report.html")}
    given.update(device_plugin_chart=str(CHART), device_plugin_chart_repository="", device_plugin_chart_version=CHART_VERSION)
    where = ("-i", str(SCRIPT), "-e", json.dumps(given))
    play = player()
    # Nothing is there yet: the hosts are planned, of the cluster only what is known.
    status, output, changed = play("site.yml", ROOT / "inventories" / inventory, *where, "--check", "--diff")
    assert status == 0 and changed == len(names), output
    assert "has yet to come out of its hosts" in output
    simulated = gpus.Simulated(kubeconfig, {"gpu-1": (2, "T4")})
    simulated.start()
    try:
        status, output, changed = play("site.yml", ROOT / "inventories" / inventory, *where)
        assert status == 0 and changed, (simulated.failure, output)
        core = kubernetes.CoreV1Api(config.new_client_from_config(str(kubeconfig)))
        allocatable = {node.metadata.name: node.status.allocatable.get(GPU) for node in core.list_node().items}
        assert allocatable == {name: "8" if name == "gpu-1" else None for name in names}
        # The scheduler proves the pods; nothing ran on a GPU, and the sentence goes on to say so.
        told = re.search(r"scheduling: .* passed on 1 node", output)
        assert told, output
        status, output, changed = play("site.yml", ROOT / "inventories" / inventory, *where)
        # The page of the report is new each time it is written with another time.
        assert (status, changed) == (0, 0), output
    finally:
        simulated.stop()
    assert simulated.failure is None
