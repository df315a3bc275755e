#!/usr/bin/python
# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_validation
short_description: Run pods that ask for GPUs, and prove that they get them
version_added: "1.0.0"
author: gpuops contributors (@gpuops)
description:
  - Runs one pod on each GPU node, placed by the scheduler. Each has to run, or to end well with a log that shows success.
  - With O(saturate), fills all free GPUs, and proves that one pod more stays Pending for want of a GPU.
  - Removes all that it made, whether it succeeds, fails or is ended by SIGTERM, SIGINT or SIGHUP, so it reports no change.
  - What a killed run left in O(namespace) is removed by the next one, which takes every validation there for over. Use two namespaces to run
    two validations at the same time. Pods also carry a deadline by which their nodes end them.
  - A GPU node that cannot be tested (no GPU free, cordoned, not ready, tainted, nothing advertised) is returned in RV(skipped) with the reason.
  - On simulated nodes (annotation C(kwok.x-k8s.io/node=fake)) no program runs. There only the scheduling is proved, and RV(simulated) says so.
extends_documentation_fragment:
  - gpuops.kubernetes.cluster
  - gpuops.kubernetes.attributes
  - gpuops.kubernetes.attributes.writer
attributes:
  check_mode:
    description: Can run in check mode and return the pods that it would run, with RV(ok) null.
    support: full
options:
  state:
    description: V(present) runs the validation, V(absent) only removes what a killed one left.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description:
      - Namespace of the pods. Where it does not exist it is made, labelled for Pod Security as the workload needs, and removed at the end.
    type: str
    default: gpuops-validation
  resource:
    description:
      - What the pods ask for. The prefix C(nvidia.com/) is added where it is missing.
      - V(auto) takes C(nvidia.com/gpu), C(nvidia.com/gpu.shared) or C(nvidia.com/mig-*), whichever the node advertises.
    type: str
    default: auto
  node_selector:
    description: A label selector as C(kubectl get nodes -l) takes it. Only nodes that it matches are tested.
    type: str
    default: ""
  workload:
    description:
      - What the pods do. V(scheduling) sleeps. The others compute on the GPU, and their log must show success.
      - V(nvidia_smi) makes no pod, but runs C(nvidia-smi) inside the device plugin's pod of each node.
      - V(custom) runs O(image).
    type: str
    choices: [scheduling, vectoradd, nbody, dcgmproftester, tensorflow, nvidia_smi, custom]
    default: scheduling
  image:
    description: Image of workload V(custom), or a mirror of another workload's image.
    type: str
    default: ""
  command:
    description: Command of workload V(custom), instead of its image's own.
    type: list
    elements: str
    default: []
  args:
    description: Arguments of workload V(custom).
    type: list
    elements: str
    default: []
  capabilities:
    description: Linux capabilities that workload V(custom) needs, such as V(SYS_ADMIN).
    type: list
    elements: str
    default: []
  success_pattern:
    description:
      - A Python regular expression that the log of workload V(custom) must match after it has ended.
      - Without one, and with O(kind=pod), it is enough that the pod runs.
    type: str
    default: ""
  kind:
    description: What is created for each check. A V(job) has to end well.
    type: str
    choices: [pod, job]
    default: pod
  tolerations:
    description: Tolerations of the pods. A node with another taint is skipped.
    type: list
    elements: dict
    default:
      - key: nvidia.com/gpu
        operator: Exists
        effect: NoSchedule
    suboptions:
      key:
        description: Key of the taint. Empty, with operator V(Exists), means any.
        type: str
        default: ""
      operator:
        description: How key and value are compared.
        type: str
        choices: [Equal, Exists]
        default: Equal
      value:
        description: Value of the taint.
        type: str
        default: ""
      effect:
        description: Effect of the taint. Empty means any.
        type: str
        choices: ["", NoSchedule, PreferNoSchedule, NoExecute]
        default: ""
  runtime_class:
    description: RuntimeClass of the pods, such as V(nvidia) on k3s and RKE2.
    type: str
    default: ""
  requests_per_pod:
    description: How many units of the resource each pod asks for.
    type: int
    default: 1
  minimum_nodes:
    description:
      - How many GPU nodes have to be tested at least. With fewer, the validation fails before any pod is created.
      - A node counts as tested where only the pods of others stand in the way, because they hold its GPUs or all of its room for pods. A busy
        cluster is warned of, and does not fail.
      - With V(0) there may be nothing to test. That is warned of too.
    type: int
    default: 1
  saturate:
    description:
      - Whether to fill all free GPUs of the selected nodes, and to ask for one more.
      - These pods have a priority below all others and never preempt. Other work may displace them, which fails the validation.
    type: bool
    default: false
  fail_on_skipped:
    description: Whether a GPU node that cannot be tested makes the validation fail, before any pod is created.
    type: bool
    default: false
  timeout:
    description: Seconds until all pods have to be done. Pulling a workload's image may take minutes.
    type: float
    default: 300.0
  keep:
    description: Whether to leave everything as it is at the end, to look at it. The next run removes it.
    type: bool
    default: false
  concurrency:
    description: How many objects are written at the same time.
    type: int
    default: 16
seealso:
  - module: gpuops.kubernetes.gpu_nodes_info
  - module: gpuops.kubernetes.gpu_sharing
"""

EXAMPLES = r"""
- name: Prove that every GPU node takes pods and computes
  gpuops.kubernetes.gpu_validation:
    kubeconfig: /home/ops/kubeconfigs/lab.yaml
    context: lab
    workload: vectoradd
    runtime_class: nvidia

- name: Prove that no more than all shares are given out
  gpuops.kubernetes.gpu_validation:
    kubeconfig: /home/ops/kubeconfigs/lab.yaml
    context: lab
    node_selector: pool=training
    saturate: true

- name: Run an own test
  gpuops.kubernetes.gpu_validation:
    kubeconfig: /home/ops/kubeconfigs/lab.yaml
    context: lab
    workload: custom
    kind: job
    image: registry.example.com/tests/nccl:3
    args: [--gpus, "2"]
    requests_per_pod: 2
    success_pattern: "Out of bounds values : 0 OK"
"""

RETURN = r"""
ok:
  description: Whether all is proved. Null in check mode, and where there was nothing to test, which O(minimum_nodes) has to allow.
  returned: with O(state=present), once the options and the nodes allow a test
  type: bool
workload:
  description: What the pods did.
  returned: like RV(ok)
  type: str
pods:
  description: Each pod as it was last seen, planned ones in check mode. With O(saturate) those that have to stay Pending are last.
  returned: like RV(ok)
  type: list
  elements: dict
  sample:
    - name: gpu-check-3f9a12cd-1
      node: a100-1
      phase: Succeeded
      reason: ""
      message: ""
      resource: nvidia.com/gpu
      simulated: false
      log_tail: "Test PASSED\nDone"
skipped:
  description: GPU nodes that were not tested.
  returned: like RV(ok)
  type: list
  elements: dict
  sample: [{"node": "a100-2", "reason": "8 of 8 nvidia.com/gpu allocated"}]
pending_reason:
  description: With O(saturate), the reason for which the one pod more stays Pending.
  returned: like RV(ok)
  type: str
  sample: Unschedulable
pending_message:
  description: With O(saturate), the same in the scheduler's own words.
  returned: like RV(ok)
  type: str
  sample: "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never."
simulated:
  description: Whether any of the nodes is one of a rehearsal, where nothing but the scheduling is proved.
  returned: like RV(ok)
  type: bool
summary:
  description: The result in a sentence.
  returned: like RV(ok)
  type: str
  sample: "vectoradd: 3 pods of nvidia.com/gpu passed on 3 nodes."
removed:
  description: What was removed.
  returned: with O(state=absent)
  type: list
  elements: str
problems:
  description: Refusals and warnings, each with path, value, rule, fix and severity.
  returned: when the validation is refused
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import validation, validation_objects, validation_smi
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import CLUSTER_ARGS, connect
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError, refuse
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.module import run
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import validation_report as report
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.validation import SMI, option_problems

TOLERATION = {
    "key": {"type": "str", "default": "", "no_log": False},
    "operator": {"type": "str", "choices": ["Equal", "Exists"], "default": "Equal"},
    "value": {"type": "str", "default": ""},
    "effect": {"type": "str", "choices": ["", "NoSchedule", "PreferNoSchedule", "NoExecute"], "default": ""},
}
DEFAULT_TOLERATIONS = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
WORKLOADS = ["scheduling", "vectoradd", "nbody", "dcgmproftester", "tensorflow", "nvidia_smi", "custom"]


def argument_spec():
    words = {"type": "list", "elements": "str", "default": []}
    return dict(
        CLUSTER_ARGS,
        state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        namespace={"type": "str", "default": "gpuops-validation"},
        resource={"type": "str", "default": "auto"},
        node_selector={"type": "str", "default": ""},
        workload={"type": "str", "choices": WORKLOADS, "default": "scheduling"},
        image={"type": "str", "default": ""},
        command=words,
        args=words,
        capabilities=words,
        success_pattern={"type": "str", "default": ""},
        kind={"type": "str", "choices": ["pod", "job"], "default": "pod"},
        tolerations={"type": "list", "elements": "dict", "default": DEFAULT_TOLERATIONS, "options": TOLERATION},
        runtime_class={"type": "str", "default": ""},
        requests_per_pod={"type": "int", "default": 1},
        minimum_nodes={"type": "int", "default": 1},
        saturate={"type": "bool", "default": False},
        fail_on_skipped={"type": "bool", "default": False},
        timeout={"type": "float", "default": 300.0},
        keep={"type": "bool", "default": False},
        concurrency={"type": "int", "default": 16},
    )


def present(module):
    params = module.params
    refuse(option_problems(params), validation.WHAT)
    connection = connect(params, params["concurrency"])
    if params["workload"] == SMI:
        return validation_smi.ask(connection, params, module.check_mode)
    planned = validation.plan(connection, params)
    return validation.preview(planned, params["keep"]) if module.check_mode else validation.validate(planned, params["keep"])


def absent(module):
    params = module.params
    connection = connect(params, params["concurrency"])
    removed, left = validation_objects.clean_up(connection, params["namespace"], params["concurrency"], module.check_mode)
    if left:
        raise GpuOpsError("\n".join(["GPU validation:"] + validation.left_lines(left)), changed=bool(removed), removed=removed)
    return {"changed": bool(removed), "removed": removed, "diff": report.diff(removed, [])}


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, present if module.params["state"] == "present" else absent)


if __name__ == "__main__":
    main()
