# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress for the module of the same name: it waits in slices, and between two of them a line says what is missing."""

from __future__ import annotations

import time

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

SLICE = 15.0
DEFAULT_TIMEOUT = 300.0


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        args = self._task.args
        if not boolean(args.get("wait", False), strict=False):
            return self._execute_module(module_args=args, task_vars=task_vars)
        deadline = time.monotonic() + float(args.get("wait_timeout", DEFAULT_TIMEOUT))
        while True:
            left = deadline - time.monotonic()
            result = self._execute_module(module_args=dict(args, wait_timeout=max(0.0, min(SLICE, left))), task_vars=task_vars)
            if not result.get("failed") or not result.get("problems") or result.get("shut_out") or left <= SLICE:
                return result
            # stderr keeps the output of JSON callbacks parseable.
            Display().display("gpu_stack_info: waiting: %s" % result["problems"][0], stderr=True)
