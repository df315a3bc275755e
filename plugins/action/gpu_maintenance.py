# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress for the module of the same name: it drains or waits in slices, and between two of them a line says what is in the way."""

from __future__ import annotations

import time

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

SLICE = 15.0
DEFAULT_TIMEOUT = 300.0


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        args = self._task.args
        timeout = self._seconds(args.get("timeout", DEFAULT_TIMEOUT))
        if args.get("state") not in ("drained", "ready") or self._task.check_mode or timeout is None or timeout <= SLICE:
            return self._execute_module(module_args=args, task_vars=task_vars)
        return self._in_slices(dict(args), timeout, task_vars)

    @staticmethod
    def _seconds(value):
        """Return a number of seconds, None for what is none: the module says so."""
        try:
            return float(value)
        except (TypeError, ValueError):
            return None

    def _in_slices(self, args, timeout, task_vars):
        deadline = time.monotonic() + timeout
        first = None
        changed = False
        while True:
            left = deadline - time.monotonic()
            result = self._execute_module(module_args=dict(args, timeout=max(0.0, min(SLICE, left))), task_vars=task_vars)
            changed = changed or result.get("changed", False)
            first = result if first is None else first
            # The first slice planned it all; those after it only knew what was left.
            result.update({key: first[key] for key in ("actions", "diff", "pods") if key in first}, changed=changed)
            waiting = result.get("left")
            if not result.get("failed") or not waiting or left <= SLICE:
                return result
            if args["state"] == "drained":
                args["only_pods"] = [pod["uid"] for pod in waiting]
            self._tell(waiting, max(len(first.get("pods") or first["nodes"]), len(waiting)))

    @staticmethod
    def _tell(waiting, total):
        first = waiting[0]
        what = "pods" if "uid" in first else "nodes"
        name = "%s/%s on %s" % (first["namespace"], first["name"], first["node"]) if what == "pods" else first["node"]
        text = "gpu_maintenance: %d of %d %s left, waiting for %s: %s" % (len(waiting), total, what, name, first["reason"])
        # stderr keeps the output of JSON callbacks parseable.
        Display().display(text, stderr=True)
