#!/usr/bin/python
# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_stack_info
short_description: Look at the DaemonSets that serve the GPUs of a cluster
version_added: "1.0.0"
author: gpuops contributors (@gpuops)
description:
  - Tells whether the DaemonSets of the device plugin, GPU feature discovery, MPS and node feature discovery are complete, and why not, in the words
    of scheduler and kubelet.
  - Finds whatever else serves the GPUs, because two device plugins on a node fight over the same resource.
  - DaemonSets are recognised by their owner and by the command that their pods run, not by their names.
extends_documentation_fragment:
  - gpuops.kubernetes.cluster
  - gpuops.kubernetes.attributes
  - gpuops.kubernetes.attributes.reader
options:
  namespace:
    description: Namespace of the Helm release that is looked at.
    type: str
    default: nvidia-device-plugin
  release:
    description: Name of the Helm release that is looked at.
    type: str
    default: nvidia-device-plugin
  minimum_nodes:
    description: On how many nodes at least the device plugin has to run.
    type: int
    default: 1
  wait:
    description:
      - Whether to wait until the DaemonSets of the release are complete and its GPU feature discovery has counted the GPUs of every node that is
        Ready, and to fail when they are not in time.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait.
    type: float
    default: 300.0
  wait_sleep:
    description: Seconds between two looks.
    type: float
    default: 2.0
seealso:
  - module: gpuops.kubernetes.gpu_nodes_info
"""

EXAMPLES = r"""
- name: Wait until the device plugin runs on at least four nodes
  gpuops.kubernetes.gpu_stack_info:
    kubeconfig: /home/ops/kubeconfigs/lab.yaml
    context: lab
    minimum_nodes: 4
    wait: true
"""

RETURN = r"""
complete:
  description: Whether there is no problem.
  returned: always
  type: bool
problems:
  description: Why the DaemonSets of the release are not complete.
  returned: always
  type: list
  elements: str
  sample: ["nvidia-device-plugin/nvidia-device-plugin: 2 of 3 pods ready, 3 up to date (nvidia-device-plugin-x7k2p on t4-1: CrashLoopBackOff)"]
shut_out:
  description: GPU nodes that will never be served, because of a taint, with a fix each. They end the wait at once.
  returned: always
  type: list
  elements: str
conflicts:
  description: What else serves the GPUs, with a fix each.
  returned: always
  type: list
  elements: str
misdirected:
  description: Containers that signal a process by a name under which it does not run.
  returned: always
  type: list
  elements: dict
daemon_sets:
  description: The DaemonSets of the GPU stack in all namespaces.
  returned: always
  type: list
  elements: dict
  contains:
    namespace:
      description: Namespace.
      type: str
    name:
      description: Name.
      type: str
    release:
      description: Its Helm release.
      type: str
    operator:
      description: Whether the GPU Operator made it.
      type: bool
    tools:
      description: Which tools of the GPU stack its pods run.
      type: list
      elements: str
      sample: [nvidia-device-plugin]
    desired:
      description: On how many nodes its pods should run.
      type: int
    updated:
      description: How many of them run its last change.
      type: int
    ready:
      description: How many of them are ready.
      type: int
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import CLUSTER_ARGS, connect
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.wait import wait_for
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.module import run
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import daemon_sets as decide
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe import daemon_sets as observe
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe import nodes as observe_nodes

SHOWN = ("namespace", "name", "release", "operator", "tools", "desired", "updated", "ready")


def argument_spec():
    return dict(
        CLUSTER_ARGS,
        namespace={"type": "str", "default": "nvidia-device-plugin"},
        release={"type": "str", "default": "nvidia-device-plugin"},
        minimum_nodes={"type": "int", "default": 1},
        wait={"type": "bool", "default": False},
        wait_timeout={"type": "float", "default": 300.0},
        wait_sleep={"type": "float", "default": 2.0},
    )


def look(connection, params):
    found = observe.read_daemon_sets(connection)
    ours = [one for one in found if decide.is_ours(one, params["namespace"], params["release"])]
    problems = decide.rollout_problems(ours, minimum_nodes=params["minimum_nodes"])
    if problems:
        pods = observe.read_unready_pods(connection, params["namespace"])
        problems = decide.rollout_problems(ours, pods, params["minimum_nodes"])
    nodes = [] if problems else observe_nodes.read_nodes(connection)
    problems += decide.uncounted_problems(ours, nodes)
    return {
        "complete": not problems,
        "problems": problems,
        "shut_out": decide.shut_out(ours, nodes),
        "conflicts": decide.conflicts(found, params["namespace"], params["release"]),
        "misdirected": decide.misdirected(ours),
        "daemon_sets": [{key: one[key] for key in SHOWN} for one in found],
    }


def read(module):
    params = module.params
    connection = connect(params)
    timeout = params["wait_timeout"] if params["wait"] else 0.0
    met, result = wait_for(
        lambda: look(connection, params),
        lambda seen: seen["complete"] or bool(seen["shut_out"]) or not params["wait"],
        timeout=timeout,
        sleep=params["wait_sleep"],
    )
    if params["wait"] and result["shut_out"]:
        lines = ["GPU nodes are shut out from release %s:" % params["release"]] + ["- " + text for text in result["shut_out"]]
        raise GpuOpsError("\n".join(lines), **result)
    if not met:
        lines = ["Release %s is not complete, and wait_timeout is over:" % params["release"]]
        lines += ["- " + problem for problem in result["problems"]]
        lines.append("Mend what is said there and run again: nothing has to be undone.")
        raise GpuOpsError("\n".join(lines), **result)
    return dict(changed=False, **result)


def main():
    run(AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True), read)


if __name__ == "__main__":
    main()
