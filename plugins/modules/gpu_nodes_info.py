#!/usr/bin/python
# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_nodes_info
short_description: Read which GPUs a cluster has, who holds them and what is free
version_added: "1.0.0"
author: gpuops contributors (@gpuops)
description:
  - Reads all nodes and all living pods of a cluster once, and sums up their NVIDIA resources by node, by model and by namespace.
  - A node counts as a GPU node when GPU feature discovery or node feature discovery labelled it, or when it advertises NVIDIA resources.
extends_documentation_fragment:
  - gpuops.kubernetes.cluster
  - gpuops.kubernetes.attributes
  - gpuops.kubernetes.attributes.reader
options:
  selector:
    description:
      - A Kubernetes label selector. Only nodes that it matches are read.
      - Pods are counted on these nodes only. Pods that no node has yet are always in RV(pods).
    type: str
    default: ""
  query:
    description:
      - A JMESPath expression that is applied to RV(nodes), RV(models), RV(totals), RV(pods) and RV(namespaces) as one document.
      - Its value comes back as RV(result), and the document itself is left out.
    type: str
requirements:
  - jmespath, when O(query) is used
seealso:
  - module: gpuops.kubernetes.gpu_sharing
"""

EXAMPLES = r"""
- name: Read all GPUs of the cluster
  gpuops.kubernetes.gpu_nodes_info:
    kubeconfig: /home/ops/kubeconfigs/lab.yaml
    context: lab
  register: gpus

- name: Read the names of the nodes with a free A100
  gpuops.kubernetes.gpu_nodes_info:
    kubeconfig: /home/ops/kubeconfigs/lab.yaml
    context: lab
    selector: nvidia.com/gpu.family=ampere
    query: nodes[?free."nvidia.com/gpu" > `0`].name
  register: free_nodes
"""

RETURN = r"""
nodes:
  description: The GPU nodes.
  returned: when O(query) is not given
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
      sample: a100-1
    ready:
      description: Whether the node is Ready.
      type: bool
    schedulable:
      description: Whether the node accepts new pods (it is not cordoned).
      type: bool
    product:
      description: The label nvidia.com/gpu.product, empty without GPU feature discovery.
      type: str
      sample: NVIDIA-A100-SXM4-80GB-SHARED
    gpus:
      description: Physical GPUs as GPU feature discovery counted them, null while it has not.
      type: int
      sample: 8
    replicas:
      description: Into how many shares a GPU is divided.
      type: int
      sample: 4
    strategy:
      description: The label nvidia.com/gpu.sharing-strategy.
      type: str
      sample: time-slicing
    config:
      description: The label nvidia.com/device-plugin.config, empty on nodes that follow the default.
      type: str
    capacity:
      description: NVIDIA resources of the node.
      type: dict
      sample: {"nvidia.com/gpu": 32}
    allocatable:
      description: NVIDIA resources that pods can ask for.
      type: dict
      sample: {"nvidia.com/gpu": 32}
    allocated:
      description: NVIDIA resources that living pods on the node hold.
      type: dict
      sample: {"nvidia.com/gpu": 5}
    free:
      description: Allocatable less allocated, below zero when a node lost devices that pods still hold.
      type: dict
      sample: {"nvidia.com/gpu": 27}
    simulated:
      description: Whether the node is one of a rehearsal.
      type: bool
models:
  description: Sums by product.
  returned: when O(query) is not given
  type: list
  elements: dict
  sample: [{"product": "Tesla-T4", "nodes": 2, "gpus": 4, "allocatable": {"nvidia.com/gpu": 4}, "allocated": {}}]
totals:
  description: Sums of capacity, allocatable, allocated and free by resource.
  returned: when O(query) is not given
  type: dict
  sample: {"nvidia.com/gpu": {"capacity": 4, "allocatable": 4, "allocated": 1, "free": 3}}
pods:
  description: Living pods that ask for NVIDIA resources, with the reason in the words of the scheduler or the kubelet where they do not run.
  returned: when O(query) is not given
  type: list
  elements: dict
  sample: [{"namespace": "ml", "name": "train-0", "node": "a100-1", "phase": "Running", "resources": {"nvidia.com/gpu": 1}, "reason": "", "message": ""}]
namespaces:
  description: NVIDIA resources that placed pods hold, by namespace.
  returned: when O(query) is not given
  type: list
  elements: dict
  sample: [{"namespace": "ml", "resources": {"nvidia.com/gpu": 1}}]
result:
  description: The value of the expression.
  returned: when O(query) is given
  type: raw
"""

import concurrent.futures

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import CLUSTER_ARGS, connect
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.module import run
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.inventory import inventory
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.nodes import read_gpu_pods, read_nodes

try:
    import jmespath

    JMESPATH_ERROR = None
except ImportError as import_error:
    JMESPATH_ERROR = import_error


def argument_spec() -> dict:
    return dict(CLUSTER_ARGS, selector={"type": "str", "default": ""}, query={"type": "str"})


def compiled(query):
    if query is None:
        return None
    if JMESPATH_ERROR is not None:
        raise GpuOpsError("query needs the Python package jmespath: %s. Fix: pip install jmespath." % JMESPATH_ERROR)
    try:
        expression = jmespath.compile(query)
        try:
            expression.search({})
        except (jmespath.exceptions.JMESPathTypeError, TypeError):
            # It may still fit a document that is not empty.
            pass
    except ValueError as problem:
        raise GpuOpsError("query: %r: not a JMESPath expression: %s. Fix: see the examples of this module." % (query, problem))
    return expression


def applied(expression, query, document):
    try:
        return expression.search(document)
    except (ValueError, TypeError) as problem:
        # TypeError: jmespath leaves the comparison of text with a number to Python.
        fix = "compare it with the document, which the module returns without query"
        raise GpuOpsError("query: %r: cannot be applied to the answer: %s. Fix: %s." % (query, problem, fix))


def read(module: AnsibleModule) -> dict:
    query = module.params["query"]
    expression = compiled(query)
    connection = connect(module.params)
    selector = module.params["selector"]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        reading = pool.submit(read_nodes, connection, selector)
        pods = read_gpu_pods(connection)
        nodes = reading.result()
    if selector:
        names = {node["name"] for node in nodes}
        pods = [pod for pod in pods if not pod["node"] or pod["node"] in names]
    document = inventory(nodes, pods)
    return dict(changed=False, **({"result": applied(expression, query, document)} if expression else document))


def main() -> None:
    run(AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True), read)


if __name__ == "__main__":
    main()
