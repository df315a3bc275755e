# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_cluster, kube_labels, kube_options

try:
    import yaml
except ImportError:  # ansible-core cannot run without it, but ansible-test imports plugins without anything
    yaml = None

display = Display()


def kube_config(options: t.Mapping[str, t.Any], prefix: str = "") -> t.Dict[str, t.Any]:
    """Return the files of one node as texts, and what is wrong with its options; see C(kube_config.yml)."""
    given = _plain(options)
    missing = [name for name in ("distribution", "node_type", "api_port") if not given.get(name)]
    if missing:
        raise AnsibleFilterError("kube_config: the options have no %s" % ", ".join(missing))
    fingerprint = hashlib.sha256(json.dumps(given, sort_keys=True).encode("utf-8")).hexdigest()
    unread = []
    if isinstance(given.get("registries"), str):
        given["registries"], unread = _parsed(given["registries"], prefix + "registries")
    found = kube_options.node(given, prefix)._asdict()
    problems = unread + found["problems"]
    return dict(found, problems=_texts(problems, "refuse"), warnings=_warned(problems), fingerprint=fingerprint)


def kube_cluster_problems(hosts: t.Sequence[t.Mapping[str, t.Any]], prefix: str = "", clock_skew: float = kube_cluster.CLOCK_SKEW) -> t.Dict[str, t.List[str]]:
    """Return what speaks against the hosts as one cluster; see C(kube_cluster_problems.yml)."""
    found = kube_cluster.problems(_plain(hosts), prefix, float(clock_skew))
    return {"refusals": _texts(found, "refuse"), "warnings": _warned(found)}


def _texts(found: t.Sequence[Problem], severity: str) -> t.List[str]:
    return [problem.text() for problem in found if problem.severity == severity]


def _warned(found: t.Sequence[Problem]) -> t.List[str]:
    """Return the warnings, and print them: the same text only once."""
    texts = _texts(found, "warn")
    for text in texts:
        display.warning(text)
    return texts


def _plain(value: t.Any) -> t.Any:
    """Return plain values for Ansible's tagged ones, whose subclasses other code may not take."""
    return json.loads(json.dumps(value, default=str))


def _parsed(text: str, path: str) -> t.Tuple[t.Any, t.List[Problem]]:
    """Return the meaning of a YAML text. Where it has none, a problem tells the place alone: the text may hold passwords."""
    try:
        return yaml.safe_load(text), []
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        return None, [Problem(path, "line %d" % (mark.line + 1) if mark else "***", "not YAML", "correct it, or write it as a map")]


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable]:
        return {
            "accelerator_label": kube_labels.accelerator_label,
            "kube_cluster_problems": kube_cluster_problems,
            "kube_config": kube_config,
        }
