#!/usr/bin/python
# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_kube_node
short_description: Make a host a server or an agent of a k3s cluster, or take k3s off it
version_added: "1.0.0"
author: gpuops contributors (@gpuops)
description:
  - Installs the program, writes its configuration, unit and environment, starts the service, and waits until the host is a Ready node of the version.
  - Runs no installer. Everything is compared with what is there, so that a second run changes nothing and restarts nothing.
  - The service restarts only when the program, its configuration, its unit or its environment has changed since the running process was started. The
    result says why. A run that was ended before a restart is made up for by the next one.
  - The version that runs is read from the process, not from the file on disk. A downgrade and a skipped minor version are refused.
  - Everything that speaks against a host is refused before anything is changed.
  - In check mode it is the plan of a host, with everything that a role has to know before it stages files or restarts services.
extends_documentation_fragment:
  - gpuops.kubernetes.host
  - gpuops.kubernetes.attributes.writer
options:
  distribution:
    description: The distribution of Kubernetes.
    type: str
    choices: [k3s]
    default: k3s
  state:
    description:
      - V(present) makes the host a node.
      - V(ready) writes nothing. It waits until the service runs and the node is Ready in the version; in check mode it only looks.
      - V(absent) stops the service, ends the containers and removes everything that the distribution has made on the host, its data too.
    type: str
    choices: [present, ready, absent]
    default: present
  node_type:
    description: What the host is in the cluster. Required with O(state=present) and O(state=ready).
    type: str
    choices: [server, agent]
  version:
    description: The version, such as V(v1.35.6+k3s1). Required with O(state=present) and O(state=ready).
    type: str
  checksums:
    description:
      - The SHA-256 of each artefact of the version, by architecture (V(amd64), V(arm64)) and file name.
      - Required with O(state=present).
    type: dict
  stage:
    description:
      - Directory on the host in which the artefacts that the plan needs lie, each under its SHA-256 as file name. They are moved from there.
    type: path
    default: /var/lib/rancher/k3s/stage
  images:
    description: File names of the image archives for hosts without a registry. Those of other architectures are left out.
    type: list
    elements: str
    default: []
  config:
    description: Text of the configuration file, without secrets.
    type: str
    default: ""
  node_config:
    description: Text of a second configuration file with what counts only when the node registers, so that a change restarts nothing.
    type: str
    default: ""
  secrets:
    description: Text of a third configuration file with the settings that are secret.
    type: str
  registries:
    description: Text of the file with mirrors and credentials of registries. Empty removes a file that this module wrote.
    type: str
  token:
    description:
      - The token of the cluster. Without it the one that is on the host stays.
      - Another one than the host has joined with is refused.
    type: str
  agent_token:
    description: A token of its own for agents, of a server.
    type: str
  environment:
    description: Environment of the unit, as lines of V(NAME=value).
    type: str
  node_name:
    description: Name of the node, by default the host's name in lower case.
    type: str
    default: ""
  ignored_checks:
    description: Checks of the host that the user has taken upon himself.
    type: list
    elements: str
    choices: [disk, firewall, memory, os, selinux, swap]
    default: []
  controller_time:
    description: What the clock of the controller shows, in seconds since 1970. RV(host) then tells how far the host's clock is ahead of it.
    type: float
  wait_for_node:
    description: Whether the host has a node of its own. A server that runs no agent has none.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait until the service runs and the node is Ready.
    type: float
    default: 600.0
  prefix:
    description: What stands before the names of options in messages, so that the user of a role reads the role's variables.
    type: str
    default: ""
seealso:
  - module: gpuops.kubernetes.gpu_maintenance
"""

EXAMPLES = r"""
- name: Tell what would become of a host
  gpuops.kubernetes.gpu_kube_node:
    node_type: server
    version: v1.35.6+k3s1
    checksums:
      amd64:
        k3s: 0f4c6e1d1c2a6a6f8c9d6d5b3a2f1e0d9c8b7a6958473625140f3e2d1c0b9a88
    config: |
      disable: [traefik]
      token-file: /etc/rancher/k3s/cluster-token
  check_mode: true
  register: plan

- name: Take k3s off a host
  gpuops.kubernetes.gpu_kube_node:
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, in order.
  returned: always
  type: list
  elements: str
  sample: [write /etc/rancher/k3s/config.yaml, restart k3s.service]
causes:
  description: Why the service was started or restarted, or would be. Empty when it goes on as it is.
  returned: with O(state=present)
  type: list
  elements: str
  sample: [/etc/rancher/k3s/config.yaml changes]
carries:
  description: Labels, taints and our annotations of the node as it was before; empty where it is not known.
  returned: with O(state=present)
  type: dict
  sample: {"labels": {"kubernetes.io/hostname": "gpu-1"}, "taints": [], "annotations": {}}
drain_reason:
  description: What a drain before the restart is to give as the reason of its cordon, so that RV(drained) knows it again.
  returned: with O(state=present)
  type: str
  sample: "k3s restarts: /etc/rancher/k3s/config.yaml changes"
drained:
  description: Whether the node is cordoned by a drain before a restart, of this run or of one that was ended before it could let pods come back.
  returned: with O(state=present)
  type: bool
restarts:
  description: Whether a running service is restarted.
  returned: with O(state=present)
  type: bool
starts:
  description: Whether a service is started that does not run.
  returned: with O(state=present)
  type: bool
needs_binary:
  description: Whether the program has to be staged.
  returned: with O(state=present)
  type: bool
needs_images:
  description: The image archives that have to be staged.
  returned: with O(state=present)
  type: list
  elements: str
needs_token:
  description: Whether the host has no token yet, or one that has not let it join anybody yet, and none was given.
  returned: with O(state=present)
  type: bool
checksum:
  description: SHA-256 of the program for this host.
  returned: with O(state=present)
  type: str
image_checksums:
  description: SHA-256 of each image archive for this host.
  returned: with O(state=present)
  type: dict
node_name:
  description: Name of the node.
  returned: always
  type: str
  sample: gpu-1
version_installed:
  description: Version of the program on disk before the run, empty when there was none.
  returned: with O(state=present)
  type: str
version_running:
  description: Version of the process that ran before the run, empty when none did.
  returned: with O(state=present)
  type: str
joined:
  description: Whether the host has data of a cluster.
  returned: with O(state=present)
  type: bool
joining:
  description:
    - What speaks against its joining the server that O(config) names, from the host's point of view. It tells whether nobody answers, the certificate is not
      for the address, or the token is not known there. Empty for a host that has joined.
    - Outside of check mode it is a refusal, unless nobody answers yet.
  returned: with O(state=present)
  type: list
  elements: dict
types:
  description: The node types whose unit is on the host.
  returned: with O(state=present)
  type: list
  elements: str
host:
  description:
    - What the host is, as far as it matters to a node.
    - C(clock_offset) is how many seconds its clock is ahead of O(controller_time), the time until the module has started included.
  returned: with O(state=present)
  type: dict
support:
  description: How the host's operating system keeps packages, certificates and profiles.
  returned: with O(state=present) and O(state=absent)
  type: dict
node:
  description: The node after the wait; empty when there was nothing to wait for.
  returned: with O(state=ready), and with O(state=present) outside of check mode
  type: dict
  sample: {"name": "gpu-1", "version": "v1.35.6+k3s1", "active": "active"}
problems:
  description: Refusals and warnings, each with path, value, rule, fix and severity.
  returned: when the host is refused
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import kube_node, kube_removal
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.module import run


def argument_spec():
    return dict(
        distribution={"type": "str", "choices": ["k3s"], "default": "k3s"},
        state={"type": "str", "choices": ["present", "ready", "absent"], "default": "present"},
        node_type={"type": "str", "choices": ["server", "agent"]},
        version={"type": "str"},
        checksums={"type": "dict"},
        stage={"type": "path", "default": "/var/lib/rancher/k3s/stage"},
        images={"type": "list", "elements": "str", "default": []},
        config={"type": "str", "default": ""},
        node_config={"type": "str", "default": ""},
        secrets={"type": "str", "no_log": True},
        registries={"type": "str", "no_log": True},
        token={"type": "str", "no_log": True},
        agent_token={"type": "str", "no_log": True},
        environment={"type": "str", "no_log": True},
        node_name={"type": "str", "default": ""},
        ignored_checks={"type": "list", "elements": "str", "choices": ["disk", "firewall", "memory", "os", "selinux", "swap"], "default": []},
        controller_time={"type": "float"},
        wait_for_node={"type": "bool", "default": True},
        wait_timeout={"type": "float", "default": 600.0},
        prefix={"type": "str", "default": ""},
    )


def execute(module):
    reach = {"present": kube_node.present, "ready": kube_node.ready, "absent": kube_removal.absent}
    return reach[module.params["state"]](module.params, module.check_mode)


def main():
    module = AnsibleModule(
        argument_spec=argument_spec(),
        required_if=[("state", "present", ["node_type", "version", "checksums"]), ("state", "ready", ["node_type", "version"])],
        supports_check_mode=True,
    )
    run(module, execute)


if __name__ == "__main__":
    main()
