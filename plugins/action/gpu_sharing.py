# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress for the module of the same name: once it has written, it waits in slices that only read, and between two of them a line
says how far the nodes are."""

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
        # The module judges the options; a wrong type among them is its to report.
        result = self._execute_module(module_args=dict(args, wait=False), task_vars=task_vars)
        wanted = boolean(args.get("wait", True), strict=False) and not self._task.check_mode
        if not wanted or result.get("failed") or "nodes" not in result or self._ready(result["nodes"]):
            return result
        return self._wait(result, task_vars)

    def _ready(self, nodes):
        return len(nodes) >= int(self._task.args.get("minimum_nodes", 1)) and all(node["ready"] for node in nodes)

    def _wait(self, result, task_vars):
        deadline = time.monotonic() + float(self._task.args.get("wait_timeout", DEFAULT_TIMEOUT))
        while True:
            left = deadline - time.monotonic()
            args = dict(self._task.args, state="ready", wait=True, wait_timeout=max(0.0, min(SLICE, left)))
            seen = self._execute_module(module_args=args, task_vars=task_vars)
            if "nodes" in seen:
                result["nodes"] = seen["nodes"]
            if not seen.get("failed"):
                return result
            if "nodes" not in seen or left <= SLICE:
                return dict(result, failed=True, msg=seen.get("msg"))
            self._tell(seen["nodes"])

    @staticmethod
    def _tell(nodes):
        late = [node for node in nodes if not node["ready"]]
        text = "gpu_sharing: %d of %d GPU nodes ready" % (len(nodes) - len(late), len(nodes))
        if late:
            text += ", waiting for %s: %s" % (late[0]["name"], late[0]["reason"])
        # stderr keeps the output of JSON callbacks parseable.
        Display().display(text, stderr=True)
