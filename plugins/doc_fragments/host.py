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
    platforms: linux
  action_group:
    description: Use C(group/gpuops.kubernetes.host) in C(module_defaults) to set options of all modules that run on hosts.
    support: full
    membership:
      - gpuops.kubernetes.host
notes:
  - Needs root, systemd, and Python 3.8 or newer with nothing but its standard library.
"""
