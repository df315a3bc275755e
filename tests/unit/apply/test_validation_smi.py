# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nvidia-smi says on one node, and what becomes of it."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import validation_smi
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import ApiError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.validation import Check

PLUGIN = {"namespace": "gpu", "name": "plugin-1", "container": "ctr", "node": "n", "phase": "Running", "reason": "", "message": ""}
LISTED = "GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)\n"


def refusal(output):
    error = ApiError(500, "ExecFailed", "GET", "/exec", "exec in pod gpu/plugin-1: exec: nvidia-smi: executable file not found in $PATH")
    error.details["output"] = output
    return error


ANSWERS = {
    "a GPU": ((0, LISTED), "Succeeded", "", "", LISTED.strip()),
    "no GPU": ((0, "No devices were found\n"), "Failed", "NoSuccessInLog", "does not match", "No devices were found"),
    "no driver": ((9, "NVIDIA-SMI has failed\n"), "Failed", "Error", "nvidia-smi -L ended with exit code 9", "NVIDIA-SMI has failed"),
    "no such program": (refusal(""), "Failed", "NoAnswer", "executable file not found", ""),
    "half an answer": (refusal("GPU 0: NV"), "Failed", "NoAnswer", "executable file not found", "GPU 0: NV"),
}


@pytest.mark.parametrize("answer, phase, reason, words, log", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_judged_by_exit_code_and_words(monkeypatch, answer, phase, reason, words, log):
    def execute(*args):
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(validation_smi, "execute", execute)
    found = validation_smi._ask_node(None, Check("n", "", "n"), PLUGIN, False, 5.0)
    assert (found["phase"], found["reason"], found["log_tail"]) == (phase, reason, log) and words in found["message"]


def test_a_node_without_the_plugin_fails_by_name():
    assert validation_smi._ask_node(None, Check("n", "", "n"), None, False, 5.0)["reason"] == "NoDevicePlugin"
