#!/usr/bin/python
# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_report
short_description: Show GPUs, sharing and pods as tables and as an HTML page
version_added: "1.0.0"
author: gpuops contributors (@gpuops)
description:
  - Turns what the other modules returned into tables for the terminal and into one HTML page that loads nothing from anywhere.
  - Runs on the controller and asks no cluster.
options:
  path:
    description: Where to write the page, on the controller. Empty writes none.
    type: path
    default: ""
  show:
    description: Whether to print the tables, on standard error.
    type: bool
    default: true
  cluster:
    description: Facts about the cluster for the head of the report, of which C(name), C(kubernetes), C(server) and C(context) are shown.
    type: dict
    required: true
  gpus:
    description: The result of M(gpuops.kubernetes.gpu_nodes_info).
    type: dict
    required: true
  sharing:
    description: The result of M(gpuops.kubernetes.gpu_sharing).
    type: dict
    default: {}
  validation:
    description: The result of M(gpuops.kubernetes.gpu_validation).
    type: dict
    default: {}
  marks:
    description: When the steps of a run began.
    type: list
    elements: dict
    default: []
    suboptions:
      step:
        description: Name of the step that began. Without a name, the last step ended.
        type: str
      at:
        description: Seconds since the epoch.
        type: float
        required: true
  rehearsal:
    description:
      - What a rehearsal proves, as C(summary) (text) and the lists C(real), C(double) and C(unproved).
    type: dict
    default: {}
attributes:
  action:
    description: Runs as an action plugin on the controller.
    support: full
  check_mode:
    description: Can run in check mode and return what it would do, without changing anything.
    support: full
  diff_mode:
    description: Returns what changed, or would change, in diff mode.
    support: partial
    details:
      - Says that the page is new, or shows other GPUs or another sharing than before, not which.
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
    details:
      - The page is written anew on every run. It counts as changed when it shows other GPUs or another sharing than before, not when other pods use them.
  platform:
    description: Where the module can run.
    support: full
    platforms: posix
seealso:
  - module: gpuops.kubernetes.gpu_nodes_info
"""

EXAMPLES = r"""
- name: Read all GPUs of the cluster
  gpuops.kubernetes.gpu_nodes_info:
    kubeconfig: /home/ops/kubeconfigs/lab.yaml
    context: lab
  register: gpus

- name: Show them
  gpuops.kubernetes.gpu_report:
    path: gpu-report.html
    cluster:
      name: lab
    gpus: "{{ gpus }}"
"""

RETURN = r"""
path:
  description: Where the page is, empty when none was written.
  returned: always
  type: str
lines:
  description: The tables.
  returned: always
  type: list
  elements: str
report:
  description: The report as data.
  returned: always
  type: dict
"""
