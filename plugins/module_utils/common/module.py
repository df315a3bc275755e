# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""The only place that ends a module."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError


def run(module: AnsibleModule, function: t.Callable[[AnsibleModule], dict]) -> None:
    """Call C(function) and hand its result, or its error, to Ansible."""
    try:
        result = function(module)
    except GpuOpsError as error:
        details = {"changed": False}
        details.update(error.details)
        module.fail_json(msg=error.message, **details)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)
