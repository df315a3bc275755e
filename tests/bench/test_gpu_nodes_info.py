# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""gpu_nodes_info against kubectl-view-allocations, the typed Python client, and the raw floor."""

from __future__ import annotations

import json
import os
import shutil
import sys

import pytest

from . import measure

MODULE = "ansible_collections.gpuops.kubernetes.plugins.modules.gpu_nodes_info"
PEER = os.environ.get("GPUOPS_VIEW_ALLOCATIONS") or shutil.which("kubectl-view-allocations") or shutil.which(
    "kubectl-view-allocations", path=os.path.expanduser("~/.cargo/bin")
)
# The least that a client of the same library can do: read all pages one after the other, and look at nothing.
FLOOR = """
import json, sys, urllib.parse
from kubernetes import client, config
configuration = client.Configuration()
config.load_kube_config(sys.argv[1], context=sys.argv[2], client_configuration=configuration)
api = client.ApiClient(configuration)
headers = {s["key"]: s["value"] for s in configuration.auth_settings().values()}
for path in ("/api/v1/nodes", "/api/v1/pods"):
    token = ""
    while True:
        query = urllib.parse.urlencode({"limit": 500, "continue": token})
        page = json.loads(api.rest_client.pool_manager.request("GET", configuration.host + path + "?" + query, headers=headers).data)
        token = page["metadata"].get("continue", "")
        if not token:
            break
"""
TYPED = """
import sys
from kubernetes import client, config
api = client.CoreV1Api(config.new_client_from_config(sys.argv[1], context=sys.argv[2]))
print(len(api.list_node().items), len(api.list_pod_for_all_namespaces().items))
"""


def commands(fleet):
    made = fleet.cluster
    where = {"kubeconfig": made.kubeconfig, "context": made.context}

    def counted(output):
        found = json.loads(output)
        assert len(found["nodes"]) == len(fleet.nodes) and found["totals"]["nvidia.com/gpu"]["allocated"] == len(found["pods"]) > 0

    module = json.dumps({"ANSIBLE_MODULE_ARGS": where})
    yield measure.Command("gpu_nodes_info", [sys.executable, "-m", MODULE], stdin=module, check=counted)
    yield measure.Command("raw pages, one by one, nothing looked at", [sys.executable, "-c", FLOOR, made.kubeconfig, made.context])
    yield measure.Command("typed Python client", [sys.executable, "-c", TYPED, made.kubeconfig, made.context])
    if PEER:
        argv = [PEER, "--context", made.context, "--ignore-taints", "", "-r", "gpu", "-g", "node", "-o", "csv"]
        yield measure.Command("kubectl-view-allocations", argv, {"KUBECONFIG": made.kubeconfig})


@pytest.mark.parametrize("fleet", [(1000, 5000), (5000, 15000)], ids=["1000 nodes, 5000 pods", "5000 nodes, 15000 pods"], indirect=True)
def test_gpu_nodes_info(fleet, publish):
    samples = measure.alternate(list(commands(fleet)))
    publish(measure.table("gpu_nodes_info, %d nodes" % len(fleet.nodes), samples, "gpu_nodes_info"))
    if not PEER:
        publish("NOT RUN: kubectl-view-allocations is not installed (cargo install kubectl-view-allocations)")
