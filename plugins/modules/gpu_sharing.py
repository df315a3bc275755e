#!/usr/bin/python
# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_sharing
short_description: Share GPUs by time-slicing or MPS, and wait until every node advertises its shares
version_added: "1.0.0"
author: gpuops contributors (@gpuops)
description:
  - Writes named, typed sharing configurations into the ConfigMap that the NVIDIA device plugin reads, and assigns them to nodes by label.
  - The ConfigMap always has the key C(default), which every node without an assignment follows. Without O(default) it means not shared.
  - Restarts the plugin's pods on exactly those nodes whose configuration has new content, because the plugin does not notice that by itself.
  - Refuses a plan that the device plugin would refuse, or would accept and then ignore, before anything is written.
  - Works with the chart C(nvidia-device-plugin) (value C(config.name)) and with the GPU Operator (C(devicePlugin.config.name), and
    C(devicePlugin.config.default=default), without which it takes no configuration for nodes without an assignment). The operator's own MIG
    strategy overrules that of the configurations.
extends_documentation_fragment:
  - gpuops.kubernetes.cluster
  - gpuops.kubernetes.attributes
  - gpuops.kubernetes.attributes.writer
options:
  namespace:
    description: Namespace of the device plugin. It is created where it does not exist.
    type: str
    default: nvidia-device-plugin
  config_map:
    description: Name of the ConfigMap.
    type: str
    default: gpu-sharing
  configs:
    description: The sharing configurations.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the configuration, which becomes a ConfigMap key and the value of a node label.
        type: str
        required: true
      strategy:
        description: How a GPU is shared. V(none) gives each pod whole GPUs.
        type: str
        choices: [none, time_slicing, mps]
        required: true
      resources:
        description: What is shared, and into how many shares.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Resource name. The prefix C(nvidia.com/) is added where it is missing.
            type: str
            required: true
          replicas:
            description: Shares of each device, 2 or more. MPS takes at most 48, before compute capability 7.5 at most 16.
            type: int
            required: true
      rename_by_default:
        description: Whether shared resources are advertised under another name, such as C(nvidia.com/gpu.shared).
        type: bool
        default: false
      fail_requests_greater_than_one:
        description:
          - Whether a pod that asks for more than one share fails.
          - The plugin's own default is V(false) for time-slicing and V(true) for MPS.
        type: bool
      mig_strategy:
        description: The plugin's MIG strategy.
        type: str
        choices: [none, single, mixed]
        default: none
  default:
    description:
      - Name of the configuration for all nodes without an assignment.
      - A configuration that is itself named C(default) needs no mention here.
    type: str
  node_configs:
    description: Which nodes get which configuration, by the node label C(nvidia.com/device-plugin.config).
    type: list
    elements: dict
    default: []
    suboptions:
      config:
        description: Name of the configuration.
        type: str
        required: true
      nodes:
        description: Names of the nodes. Exactly one of this and C(selector) is needed.
        type: list
        elements: str
        default: []
      selector:
        description:
          - A Kubernetes label selector.
          - Under C(nvidia.com/gpu.product) a name stands for the shared GPU too, whose label ends in C(-SHARED).
            Other labels that follow the sharing are refused.
        type: str
        default: ""
  state:
    description:
      - V(present) writes the configurations.
      - V(absent) removes the ConfigMap and the node labels that this module set, and nothing of others. It is refused while a DaemonSet mounts
        the ConfigMap.
      - V(ready) writes nothing. It only waits until every GPU node advertises what the other options mean.
    type: str
    choices: [present, absent, ready]
    default: present
  allow_shrink:
    description:
      - Whether a node may be left with fewer shares than its running pods hold.
      - Such pods go on, but fail when their containers start again.
    type: bool
    default: false
  allow_mounted:
    description:
      - With O(state=absent), whether to remove a ConfigMap that a DaemonSet mounts. Pods that run keep what they mounted, and new ones do not start.
      - It makes check mode predict a removal whose chart goes first.
    type: bool
    default: false
  minimum_nodes:
    description: With O(wait), the number of GPU nodes that must be known before the wait can end. Discovery finds new nodes one by one.
    type: int
    default: 1
  wait:
    description: Whether to wait until every GPU node advertises exactly what its configuration means.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait. Kubelet and GPU feature discovery take up to two minutes to follow.
    type: float
    default: 300.0
  wait_sleep:
    description: Seconds between two looks at the nodes.
    type: float
    default: 2.0
  concurrency:
    description: How many objects are written at the same time.
    type: int
    default: 16
  prefix:
    description: What stands before the names of options in messages, so that the user of a role reads the role's variables.
    type: str
    default: ""
seealso:
  - module: gpuops.kubernetes.gpu_nodes_info
  - module: gpuops.kubernetes.gpu_validation
"""

EXAMPLES = r"""
- name: Share every GPU of the cluster by four
  gpuops.kubernetes.gpu_sharing:
    kubeconfig: /home/ops/kubeconfigs/lab.yaml
    context: lab
    configs:
      - name: by-four
        strategy: time_slicing
        resources:
          - name: nvidia.com/gpu
            replicas: 4
    default: by-four

- name: Share the T4 nodes by MPS, leave all others whole
  gpuops.kubernetes.gpu_sharing:
    kubeconfig: /home/ops/kubeconfigs/lab.yaml
    context: lab
    configs:
      - name: mps-8
        strategy: mps
        resources:
          - name: nvidia.com/gpu
            replicas: 8
    node_configs:
      - config: mps-8
        selector: nvidia.com/gpu.product=Tesla-T4
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, in order.
  returned: always
  type: list
  elements: str
  sample: ["write ConfigMap nvidia-device-plugin/gpu-sharing (keys: by-four, default)", "label 2 nodes"]
nodes:
  description: Each GPU node with what it has, and what it should have after the plan.
  returned: with O(state=present) and O(state=ready)
  type: list
  elements: dict
  sample:
    - name: a100-1
      product: NVIDIA-A100-SXM4-80GB-SHARED
      gpus: 8
      config: by-four
      strategy: time-slicing
      replicas: 4
      expected: {"nvidia.com/gpu": 32}
      capacity: {"nvidia.com/gpu": 32}
      allocatable: {"nvidia.com/gpu": 32}
      ready: true
      reason: ""
problems:
  description: Refusals and warnings, each with path, value, rule, fix and severity.
  returned: when the plan is refused
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import sharing
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import CLUSTER_ARGS, connect
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.module import run

RESOURCE = {"name": {"type": "str", "required": True}, "replicas": {"type": "int", "required": True}}
CONFIG = {
    "name": {"type": "str", "required": True},
    "strategy": {"type": "str", "required": True, "choices": ["none", "time_slicing", "mps"]},
    "resources": {"type": "list", "elements": "dict", "default": [], "options": RESOURCE},
    "rename_by_default": {"type": "bool", "default": False},
    "fail_requests_greater_than_one": {"type": "bool"},
    "mig_strategy": {"type": "str", "choices": ["none", "single", "mixed"], "default": "none"},
}
ASSIGNMENT = {
    "config": {"type": "str", "required": True},
    "nodes": {"type": "list", "elements": "str", "default": []},
    "selector": {"type": "str", "default": ""},
}


def argument_spec():
    return dict(
        CLUSTER_ARGS,
        namespace={"type": "str", "default": "nvidia-device-plugin"},
        config_map={"type": "str", "default": "gpu-sharing"},
        configs={"type": "list", "elements": "dict", "default": [], "options": CONFIG},
        default={"type": "str"},
        node_configs={"type": "list", "elements": "dict", "default": [], "options": ASSIGNMENT},
        state={"type": "str", "choices": ["present", "absent", "ready"], "default": "present"},
        allow_shrink={"type": "bool", "default": False},
        allow_mounted={"type": "bool", "default": False},
        minimum_nodes={"type": "int", "default": 1},
        wait={"type": "bool", "default": True},
        wait_timeout={"type": "float", "default": 300.0},
        wait_sleep={"type": "float", "default": 2.0},
        concurrency={"type": "int", "default": 16},
        prefix={"type": "str", "default": ""},
    )


def execute(module):
    params = module.params
    if params["state"] == "absent":
        return sharing.absent(connect(params, params["concurrency"]), params, module.check_mode)
    desired = sharing.asked_for(params)
    reach = sharing.present if params["state"] == "present" else sharing.ready
    return reach(connect(params, params["concurrency"]), desired, params, module.check_mode)


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, execute)


if __name__ == "__main__":
    main()
