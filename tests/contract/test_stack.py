# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""gpu_stack_info on a real control plane, where the DaemonSet controller and the scheduler decide which nodes are served."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from ansible_collections.gpuops.kubernetes.plugins.modules import gpu_stack_info

NODE = "/api/v1/nodes/"
SETS = "/apis/apps/v1/namespaces/default/daemonsets"
TOOLS = ("nvidia-device-plugin", "gpu-feature-discovery")
TAINT = {"key": "dedicated", "value": "ada", "effect": "NoSchedule"}


@pytest.fixture(scope="module")
def made(testbed):
    # Without an nfd-master nobody writes the count of the GPUs unless a test does.
    gpus = {"model": "T4", "gpus": 2, "labels": {"gpu": "yes"}}
    made = testbed([dict(gpus, name="open"), dict(gpus, name="closed", taints=[TAINT])])
    client = made.client()
    for name in ("open", "closed"):
        patch(client, NODE + name, {"metadata": {"labels": {"nvidia.com/gpu.present": "true"}}})
    for tool in TOOLS:
        pod = {"nodeSelector": {"gpu": "yes"}, "containers": [{"name": "c", "image": "gpu", "command": [tool]}]}
        template = {"metadata": {"labels": {"app": tool}}, "spec": pod}
        metadata = {"name": tool, "annotations": {"meta.helm.sh/release-name": "plugin"}}
        client.request("POST", SETS, {"metadata": metadata, "spec": {"selector": {"matchLabels": {"app": tool}}, "template": template}})
    return made


def patch(client, path, body):
    client.request("PATCH", path, body, "application/merge-patch+json")


def look(made, **more):
    where = {"kubeconfig": made.kubeconfig, "context": made.context, "namespace": "default", "release": "plugin", "wait_sleep": 0.2}
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": dict(where, **more)})
    done = subprocess.run([sys.executable, "-m", gpu_stack_info.__name__], input=arguments, stdout=subprocess.PIPE, text=True, check=False)
    return json.loads(done.stdout)


def test_a_node_behind_a_taint_ends_the_wait_at_once_and_is_named(made):
    found = look(made, wait=True, wait_timeout=60)
    assert found["failed"] and "node closed: its taint dedicated=ada:NoSchedule is not tolerated by DaemonSet default/gpu-feature-discovery" in found["msg"]
    assert "fix: add {key: dedicated, operator: Exists, effect: NoSchedule} to device_plugin_tolerations" in found["msg"]
    assert len(found["shut_out"]) == 1


def test_the_wait_ends_when_the_gpus_of_all_nodes_are_counted(made):
    client = made.client()
    patch(client, NODE + "closed", {"spec": {"taints": None}})
    late = look(made, wait=True, wait_timeout=2)
    assert late["failed"] and late["shut_out"] == [] and "wait_timeout is over" in late["msg"], late["msg"]
    for name in ("open", "closed"):
        patch(client, NODE + name, {"metadata": {"labels": {"nvidia.com/gpu.count": "2"}}})
    found = look(made, wait=True, wait_timeout=300)
    assert found["complete"] and found["problems"] == [], found
