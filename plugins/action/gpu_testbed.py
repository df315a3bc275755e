# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a testbed up or down on the controller, with progress while programs are built and nodes get ready."""

from __future__ import annotations

import contextlib
import signal

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import cluster
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.errors import BadInput, TestbedError

OPTIONS = {
    "name": {"type": "str", "default": "demo"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "nodes": {"type": "list", "elements": "dict"},
    "configmap_delay": {"type": "list", "elements": "float", "default": [60.0, 90.0]},
    "large": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(argument_spec=OPTIONS)
        try:
            with _ending_cleanly():
                result = self._absent(given) if given["state"] == "absent" else self._present(given)
        except BadInput as error:
            raise AnsibleActionFail(str(error), result={"problems": error.problems}) from None
        except TestbedError as error:
            raise AnsibleActionFail(str(error)) from None
        result["changed"] = bool(result["changes"])
        if self._task.diff:
            result["diff"] = {"prepared": "".join(line + "\n" for line in result["changes"])}
        return result

    def _absent(self, given):
        if self._task.check_mode:
            there = cluster.exists(given["name"])
        else:
            there = cluster.down(given["name"], progress=self._progress)
        return {"name": given["name"], "changes": ["end the testbed"] if there else []}

    def _present(self, given):
        name, nodes = given["name"], given["nodes"]
        options = cluster.Options(tuple(given["configmap_delay"]), given["large"])
        if not self._task.check_mode:
            return _result(cluster.up(name, nodes, options=options, progress=self._progress))
        changes = cluster.preview(name, nodes, options=options)
        return dict(_result(cluster.foresee(name, nodes)), changes=changes)

    def _progress(self, text):
        # stderr keeps the output of JSON callbacks parseable.
        Display().display("%s: %s" % (self._task.action.rpartition(".")[2], text), stderr=True)


def _result(made):
    result = dict(made._asdict(), directory=str(made.directory))
    return {key: list(value) if isinstance(value, tuple) else value for key, value in result.items()}


@contextlib.contextmanager
def _ending_cleanly():
    """Turn the signals that end a worker into an exception, so that what was half started is ended before the worker is."""
    signals = (signal.SIGINT, signal.SIGTERM)

    def interrupt(number, frame):
        # A second one would cut the clean-up short.
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt()

    before = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
