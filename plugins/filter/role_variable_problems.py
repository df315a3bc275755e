# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.yaml import yaml_load
from ansible.utils.display import Display
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils import role_variables

ROLES = Path(__file__).resolve().parent.parent.parent / "roles"

display = Display()


@functools.lru_cache(maxsize=None)
def our_variables() -> t.Dict[str, t.FrozenSet[str]]:
    """Read the variables of every role beside this plugin, once a process."""
    found = {}
    for path in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        found[path.parent.parent.name] = role_variables.variables_of(yaml_load(path.read_text(encoding="utf-8")) or {})
    return found


def role_variable_problems(names: t.Any, role: str) -> t.List[str]:
    """Return a problem for each name that looks like a misspelling of one of the role's variables; warn about other unknown names."""
    if isinstance(names, (str, bytes)) or not hasattr(names, "__iter__"):
        raise AnsibleFilterError("role_variable_problems: a list of variable names is needed, found %s" % type(names).__name__)
    known = our_variables()
    if role not in known:
        raise AnsibleFilterError("role_variable_problems: gpuops.kubernetes has no role %s; it has %s" % (role, ", ".join(sorted(known))))
    problems = []
    for finding in role_variables.findings(map(str, names), role, known):
        if finding.meant:
            problems.append("%s: the role %s has no such variable; fix: write %s, or another name if this is a variable of your own"
                            % (finding.name, role, finding.meant))
        else:
            # Display prints the same warning once.
            display.warning("%s: the role %s has no such variable, and does not use it" % (finding.name, role))
    return problems


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable]:
        return {"role_variable_problems": role_variable_problems}
