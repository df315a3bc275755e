# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""site.yml on a cluster that is there, with the inventories that README.md and inventories/ show, and the way back."""

from __future__ import annotations

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GPU = "nvidia.com/gpu"


@pytest.fixture(scope="module")
def made(testbed):
    return testbed([{"name": "t4", "nodes": 2, "model": "T4", "gpus": 2}, {"name": "cpu"}])


@pytest.fixture(scope="module")
def readme_inventory(made, tmp_path_factory):
    """Return the inventory that README.md shows for a cluster, with this cluster in it."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if "gpu_kubeconfig: /" in block and "hosts:\n" in block and "tasks:" not in block]
    path = tmp_path_factory.mktemp("readme") / "inventory.yml"
    path.write_text(re.sub(r"gpu_context: .*", "gpu_context: " + made.context, re.sub(r"gpu_kubeconfig: .*", "gpu_kubeconfig: " + made.kubeconfig, block)))
    return path


@pytest.fixture(scope="module")
def play(made, player):
    return player(made)


def test_a_site_without_sharing_serves_whole_gpus(made, play, readme_inventory, seen):
    client = made.client()
    before = seen(client)
    status, output, _unused = play("site.yml", readme_inventory, "--check", "--diff")
    assert status == 0, output
    assert seen(client) == before
    status, output, changed = play("site.yml", readme_inventory)
    assert status == 0 and changed, output
    nodes = {node["metadata"]["name"]: node["status"]["allocatable"].get(GPU) for node in client.request("GET", "/api/v1/nodes")["items"]}
    assert nodes == {"t4-1": "2", "t4-2": "2", "cpu": None}
    before = seen(client)
    status, output, changed = play("site.yml", readme_inventory)
    assert (status, changed) == (0, 0), output
    assert seen(client) == before


def test_the_inventory_of_an_existing_cluster_runs_as_written(made, play):
    where = ("-e", "gpu_kubeconfig=" + made.kubeconfig, "-e", "gpu_context=" + made.context)
    status, output, changed = play("site.yml", ROOT / "inventories" / "existing_cluster", *where)
    # The page of the report, which has the cluster's name in its own, is new.
    assert (status, changed) == (0, 1), output
    assert "vectoradd: 2 pods of nvidia.com/gpu passed on 2 nodes" in output


def test_uninstall_wants_the_cluster_named_and_leaves_nothing(made, play, readme_inventory, seen):
    client = made.client()
    before = seen(client)
    status, output, _unused = play("uninstall.yml", readme_inventory)
    uid = client.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
    assert status == 2 and "-e gpu_cluster_name=lab -e gpu_cluster_uid=" + uid in output.replace("\n", " "), output
    assert seen(client) == before
    named = ("-e", "gpu_cluster_name=lab", "-e", "gpu_cluster_uid=" + uid)
    status, output, _unused = play("uninstall.yml", readme_inventory, "--check", *named)
    assert status == 0, output
    assert seen(client) == before
    status, output, _unused = play("uninstall.yml", readme_inventory, *named)
    assert status == 0, output
    assert [item["metadata"]["name"] for item in client.request("GET", "/apis/apps/v1/daemonsets")["items"]] == []
    labels = [label for node in client.request("GET", "/api/v1/nodes")["items"] for label in node["metadata"]["labels"]]
    assert [label for label in labels if label.startswith("nvidia.com/device-plugin")] == []
