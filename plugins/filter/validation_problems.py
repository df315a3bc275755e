# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.validation import option_problems

FIX = "give what the option %s of gpuops.kubernetes.gpu_validation takes"


def validation_problems(options, prefix=""):
    """Return what is wrong with validation options, as texts; see C(validation_problems.yml)."""
    # Here, because the first filter of the collection that a task uses loads all of them, and the Kubernetes client behind this takes a quarter of a second.
    from ansible_collections.gpuops.kubernetes.plugins.modules import gpu_validation

    spec = {name: option for name, option in gpu_validation.argument_spec().items() if not option.get("required")}
    if not isinstance(options, dict) or set(options) - set(spec):
        raise AnsibleFilterError("validation_problems: a map of options is needed, of which there are: %s" % ", ".join(sorted(spec)))
    # Ansible's strings carry tags: here they become plain ones.
    given = json.loads(json.dumps(options))
    found = []
    for name, value in list(given.items()):
        messages = ArgumentSpecValidator({name: spec[name]}).validate({name: value}).error_messages
        if messages:
            found.append(Problem(name, value, "; ".join(messages), FIX % name))
            # The module's default instead of it is in nobody's way.
            del given[name]
    # A number from the command line is text, which the module takes for a number.
    found += option_problems(ArgumentSpecValidator(spec).validate(given).validated_parameters)
    return [problem._replace(path=prefix + problem.path).text() for problem in found]


class FilterModule:
    def filters(self):
        return {"validation_problems": validation_problems}
