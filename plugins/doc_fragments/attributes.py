# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  platform:
    description: Where the module can run.
    support: full
    platforms: posix
  action_group:
    description: Use C(group/gpuops.kubernetes.cluster) in C(module_defaults) to set kubeconfig and context once.
    support: full
    membership:
      - gpuops.kubernetes.cluster
"""

    READER = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return what it would do, without changing anything.
    support: full
    details:
      - This module reads only.
  diff_mode:
    description: Returns what changed, or would change, in diff mode.
    support: N/A
    details:
      - This module reads only.
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
"""

    WRITER = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return what it would do, without changing anything.
    support: full
  diff_mode:
    description: Returns what changed, or would change, in diff mode.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
"""
