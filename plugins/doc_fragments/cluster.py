# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of the kubeconfig file on the host that runs the module.
      - Never taken from the environment, so that a task cannot reach another cluster than the one it names.
    type: path
    required: true
  context:
    description:
      - Name of the context in O(kubeconfig). The file's current context is never used.
    type: str
    required: true
  retry_for:
    description:
      - Seconds for which a request is tried again while the API server cannot be reached, breaks off, is overloaded (429) or fails (5xx).
    type: float
    default: 30.0
requirements:
  - kubernetes (Python package) on the host that runs the module
"""
