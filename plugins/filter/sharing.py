# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import sharing_config


def sharing_problems(configs, default=None, node_configs=None, prefix=""):
    """Return what is wrong with sharing options, as texts; see C(sharing_problems.yml)."""
    # Here, because the first filter of the collection that a task uses loads all of them, and the Kubernetes client behind this takes a quarter of a second.
    from ansible_collections.gpuops.kubernetes.plugins.modules import gpu_sharing

    # Ansible's strings carry tags, which the YAML writer behind size_problems does not take: here they become plain ones.
    given = json.loads(json.dumps({"configs": configs, "default": default, "node_configs": node_configs or []}))
    # A number from the command line is text, which the module takes for a number.
    spec = gpu_sharing.argument_spec()
    checked = ArgumentSpecValidator({name: spec[name] for name in given}).validate(given)
    if checked.error_messages:
        return [prefix + "configs, %snode_configs: %s" % (prefix, message) for message in checked.error_messages]
    options = checked.validated_parameters
    found = sharing_config.problems(options["configs"], options["default"], options["node_configs"], prefix)
    if not found:
        texts = {key: sharing_config.text(document) for key, document in sharing_config.documents(options["configs"], options["default"]).items()}
        found = sharing_config.size_problems(texts, prefix)
    return [problem.text() for problem in found if problem.severity == "refuse"]


class FilterModule:
    def filters(self):
        return {"sharing_problems": sharing_problems}
