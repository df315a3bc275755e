#!/usr/bin/python
# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_maintenance
short_description: Cordon, drain, await and uncordon nodes, and keep their labels and taints
version_added: "1.0.0"
author: gpuops contributors (@gpuops)
description:
  - Cordons nodes with an annotation that says so, and uncordons only nodes that carry it. A cordon of somebody else always stays.
  - Drains nodes by the eviction API, which heeds PodDisruptionBudgets. A budget that allows no eviction is asked again until O(timeout), and then
    the module fails and tells what blocks which pod, and how to mend that.
  - Refuses a drain that would lose something (pods without a controller, data of emptyDir volumes) before anything is changed.
  - An interrupted or failed drain leaves the nodes cordoned, and the next run goes on where it ended.
  - Waits until nodes are ready, run a given version, and etcd has all of its votes.
extends_documentation_fragment:
  - gpuops.kubernetes.cluster
  - gpuops.kubernetes.attributes
  - gpuops.kubernetes.attributes.writer
options:
  nodes:
    description: Names of the nodes, at least one, as C(kubectl get nodes) shows them.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(cordoned) keeps new pods away.
      - V(drained) cordons all nodes, and then evicts their pods, one node after the other in the order of O(nodes). Mirror pods and pods of
        DaemonSets stay. It waits until all evicted pods are gone. A pod of the same name that was made again does not count.
      - V(uncordoned) takes the cordons of this module off. It warns of each node that somebody else cordoned, which stays so.
      - V(ready) writes nothing. It waits until the nodes are ready, those that the cluster does not know yet included. In check mode it only looks.
      - V(labelled) sets O(labels) and O(taints), and removes those that it set before and that are no longer asked for.
    type: str
    choices: [cordoned, drained, uncordoned, ready, labelled]
    required: true
  reason:
    description: Why the nodes are cordoned, kept in the annotation C(gpuops.kubernetes/cordoned). An earlier cordon of this module keeps its reason.
    type: str
    default: maintenance
  force:
    description:
      - With O(state=drained), whether to evict also pods that no controller would start again elsewhere.
      - With O(state=labelled), whether to set a C(NoExecute) taint that ends running pods, without any regard for PodDisruptionBudgets.
    type: bool
    default: false
  delete_emptydir_data:
    description: With O(state=drained), whether to evict also pods with emptyDir volumes, whose data are deleted with them.
    type: bool
    default: false
  grace_period:
    description: With O(state=drained), the seconds that a pod has to end, 1 or more. Without it each pod has its own.
    type: int
  timeout:
    description: Seconds until all nodes have to be drained, or ready. It begins once the nodes are cordoned.
    type: float
    default: 300.0
  sleep:
    description: Seconds between two looks at the cluster, and so between two attempts to evict a pod.
    type: float
    default: 2.0
  only_pods:
    description:
      - With O(state=drained), UIDs of pods (see RV(left)). Only these are evicted, and nothing is said against others. Without any, all are.
      - It lets somebody go on with a drain that has begun, without evicting anew what came back to a node in spite of the cordon.
    type: list
    elements: str
    default: []
  version:
    description: With O(state=ready), the version that the nodes' kubelets have to be, such as V(v1.34.1+k3s1). Empty means any.
    type: str
    default: ""
  quorum:
    description:
      - With O(state=ready), whether to wait also until every node with the label C(node-role.kubernetes.io/etcd=true) is ready, and has the
        condition C(EtcdIsVoter), which k3s and RKE2 set. A cluster without such nodes has nothing to wait for.
    type: bool
    default: false
  labels:
    description:
      - With O(state=labelled), the labels of the nodes. A null value removes a label, whoever set it.
      - The annotation C(gpuops.kubernetes/node-labels) lists those that were set here. Labels that M(gpuops.kubernetes.gpu_sharing) set are refused.
    type: dict
    default: {}
  taints:
    description:
      - With O(state=labelled), the taints of the nodes. Key and effect make a taint.
      - The annotation C(gpuops.kubernetes/node-taints) lists those that were set here.
    type: list
    elements: dict
    default: []
    suboptions:
      key:
        description: Key of the taint.
        type: str
        required: true
      value:
        description: Value of the taint.
        type: str
        default: ""
      effect:
        description: What happens to pods that do not tolerate it.
        type: str
        choices: [NoSchedule, PreferNoSchedule, NoExecute]
        required: true
      state:
        description: V(absent) removes a taint, whoever set it.
        type: str
        choices: [present, absent]
        default: present
  adopt:
    description:
      - With O(state=labelled), whether a label or taint that is already there as it is asked for is noted as set here. It goes then when it is no
        longer asked for, which is meant for what a node registered with.
    type: bool
    default: false
  concurrency:
    description: How many objects are written at the same time.
    type: int
    default: 16
  prefix:
    description: What stands before the names of options in messages, so that the user of a role reads the role's variables.
    type: str
    default: ""
seealso:
  - module: gpuops.kubernetes.gpu_sharing
"""

EXAMPLES = r"""
- name: Empty a node before its driver is replaced
  gpuops.kubernetes.gpu_maintenance:
    kubeconfig: /home/ops/kubeconfigs/lab.yaml
    context: lab
    nodes: [gpu-1]
    state: drained
    reason: driver upgrade
    delete_emptydir_data: true
    timeout: 900

- name: Wait until it is back with the new version, and etcd is whole
  gpuops.kubernetes.gpu_maintenance:
    kubeconfig: /home/ops/kubeconfigs/lab.yaml
    context: lab
    nodes: [gpu-1]
    state: ready
    version: v1.34.1+k3s1
    quorum: true

- name: Let pods come back, unless somebody else had cordoned it too
  gpuops.kubernetes.gpu_maintenance:
    kubeconfig: /home/ops/kubeconfigs/lab.yaml
    context: lab
    nodes: [gpu-1]
    state: uncordoned

- name: Keep the training nodes for training
  gpuops.kubernetes.gpu_maintenance:
    kubeconfig: /home/ops/kubeconfigs/lab.yaml
    context: lab
    nodes: [gpu-1, gpu-2]
    state: labelled
    labels:
      pool: training
    taints:
      - key: pool
        value: training
        effect: NoSchedule
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, in order.
  returned: always
  type: list
  elements: str
  sample: ["cordon gpu-1", "evict 2 pods from gpu-1 (ml/trainer-0, web/front-7d9)"]
nodes:
  description:
    - Each node as it is after the run. RV(nodes[].by_us) tells whether the annotation of this module is on it.
    - With O(state=ready) it has C(name), C(ready), C(version), and, where it is not ready, C(reason) and C(since).
  returned: always, except when it is refused
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    cordoned:
      description: Whether it is cordoned.
      type: bool
      returned: with all states but V(ready)
    by_us:
      description: Whether this module cordoned it.
      type: bool
      returned: with all states but V(ready)
    reason:
      description: Why it is cordoned by this module, or why it is not ready.
      type: str
      returned: always
  sample: [{"name": "gpu-1", "cordoned": true, "by_us": true, "reason": "driver upgrade"}]
pods:
  description: The pods that were evicted, or in check mode would be. After a failure RV(left) tells which of them are still there.
  returned: with O(state=drained)
  type: list
  elements: dict
  sample: [{"node": "gpu-1", "namespace": "ml", "name": "trainer-0"}]
left:
  description: The pods that are not gone, or the nodes that are not ready, each with what is in the way.
  returned: when time is up
  type: list
  elements: dict
  sample:
    - node: gpu-1
      namespace: ml
      name: trainer-0
      uid: 6f1e2a34-0b6c-4f9e-9a86-6a2f3c1d5e77
      reason: "PodDisruptionBudget trainer holds it (minAvailable: 2, currentHealthy 2, desiredHealthy 2, disruptionsAllowed 0)"
      budget: {"name": "trainer", "bound": "minAvailable: 2", "current": 2, "desired": 2, "allowed": 0}
      fix: with its 2 pods it never allows one to go; scale its workload above 2, or loosen the budget
problems:
  description: Refusals, each with path, value, rule, fix and severity.
  returned: when the plan is refused
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import maintenance
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.maintenance_drain import drained
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import CLUSTER_ARGS, connect
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.module import run

TAINT = {
    "key": {"type": "str", "required": True, "no_log": False},
    "value": {"type": "str", "default": ""},
    "effect": {"type": "str", "required": True, "choices": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
CHANGING = {"cordoned": maintenance.cordoned, "uncordoned": maintenance.uncordoned, "labelled": maintenance.labelled}


def argument_spec():
    return dict(
        CLUSTER_ARGS,
        nodes={"type": "list", "elements": "str", "required": True},
        state={"type": "str", "required": True, "choices": ["cordoned", "drained", "uncordoned", "ready", "labelled"]},
        reason={"type": "str", "default": "maintenance"},
        force={"type": "bool", "default": False},
        delete_emptydir_data={"type": "bool", "default": False},
        grace_period={"type": "int"},
        timeout={"type": "float", "default": 300.0},
        sleep={"type": "float", "default": 2.0},
        only_pods={"type": "list", "elements": "str", "default": []},
        version={"type": "str", "default": ""},
        quorum={"type": "bool", "default": False},
        labels={"type": "dict", "default": {}},
        taints={"type": "list", "elements": "dict", "default": [], "options": TAINT},
        adopt={"type": "bool", "default": False},
        concurrency={"type": "int", "default": 16},
        prefix={"type": "str", "default": ""},
    )


def execute(module):
    params = module.params
    maintenance.check_options(params)
    once = connect(dict(params, retry_for=0.0), params["concurrency"])
    if params["state"] == "ready":
        return maintenance.ready(once, params, module.check_mode)
    connection = connect(params, params["concurrency"])
    if params["state"] == "drained":
        return drained(connection, once, params, module.check_mode)
    return CHANGING[params["state"]](connection, params, module.check_mode)


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, execute)


if __name__ == "__main__":
    main()
