# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Labels and taints that a node registers with: what kubelet would refuse, and the label that names its GPU. No I/O."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.accelerators import LABELS
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.kube_text import as_list

LONGEST = 63
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")

# Source: Kubernetes k8s.io/kubelet/pkg/apis/well_known_labels.go: what kubelet may say of its own node, and the admission NodeRestriction lets through.
_RESERVED = ("kubernetes.io", "k8s.io")
_ALLOWED_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
_ALLOWED = frozenset(
    (
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "beta.kubernetes.io/os",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "kubernetes.io/arch",
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    )
)


def labels(config: t.Mapping[str, t.Any]) -> t.Dict[str, str]:
    """Return the labels of a final configuration."""
    return dict(str(label).partition("=")[::2] for label in as_list(config.get("node-label")))


def taints(config: t.Mapping[str, t.Any]) -> t.List[t.Dict[str, str]]:
    """Return the taints of a final configuration as the API has them: C(key), C(value), C(effect)."""
    found = []
    for taint in as_list(config.get("node-taint")):
        pair, effect = str(taint).rpartition(":")[::2]
        key, value = pair.partition("=")[::2]
        found.append({"key": key, "value": value, "effect": effect})
    return found


def problems(config: t.Mapping[str, t.Any], prefix: str = "") -> t.List[Problem]:
    """Return what kubelet would not start with: forbidden or malformed labels and taints of a final configuration."""
    found = []
    for label in as_list(config.get("node-label")):
        key, separator, value = str(label).partition("=")
        wrong = _label_problem(key, separator, value)
        if wrong:
            found.append(Problem(prefix + "node_labels", str(label), wrong[0], wrong[1]))
    for taint in taints(config):
        shown = "%s=%s:%s" % (taint["key"], taint["value"], taint["effect"])
        if taint["effect"] not in EFFECTS or not key_is_right(taint["key"]) or not value_is_right(taint["value"]):
            rule = "not a taint: key=value:effect, where the effect is one of %s" % ", ".join(EFFECTS)
            found.append(Problem(prefix + "node_taints", shown, rule, "write one such as nvidia.com/gpu=present:NoSchedule"))
    return found


def _label_problem(key: str, separator: str, value: str) -> t.Optional[t.Tuple[str, str]]:
    """Return rule and fix for a label that cannot be; None when it can."""
    if not separator:
        return "a label is key=value", "write %s=true, or %s= for an empty value" % (key, key)
    if not key_is_right(key):
        return "not a label: letters, digits, dashes, underscores and dots, at most %d, with an optional domain and a slash before" % LONGEST, "correct the key"
    if not value_is_right(value):
        return "not the value of a label: at most %d letters, digits, dashes, underscores and dots" % LONGEST, "correct the value"
    domain = key.rpartition("/")[0]
    if _within(domain, _RESERVED) and key not in _ALLOWED and not _within(domain, _ALLOWED_DOMAINS):
        rule = "a node must not give itself a label of kubernetes.io or k8s.io, and kubelet does not start with it"
        fix = "use a domain of your own, or label the node through the API afterwards (kubectl label node)"
        return rule, fix
    return None


def _within(domain: str, domains: t.Sequence[str]) -> bool:
    return any(domain == one or domain.endswith("." + one) for one in domains)


def key_is_right(key: str) -> bool:
    """Tell whether a text can be the key of a label or a taint."""
    domain, slash, name = key.rpartition("/")
    if slash and (len(domain) > 253 or not _DOMAIN.fullmatch(domain)):
        return False
    return len(name) <= LONGEST and bool(_NAME.fullmatch(name))


def value_is_right(value: str) -> bool:
    """Tell whether a text can be the value of a label."""
    return value == "" or (len(value) <= LONGEST and bool(_NAME.fullmatch(value)))


def accelerator_label(model: str) -> str:
    """Return the value of the label accelerator for a GPU model, as users of managed clusters know it; empty for no model.

    What those have no value for becomes its own name: lower case, with dashes.
    """
    words = [word for word in re.split(r"[^a-z0-9]+", model.lower()) if word]
    for needed, label in LABELS:
        if needed <= set(words):
            return label
    words = [word for word in words if word != "nvidia"]
    return ("-".join(["nvidia"] + words) if words else "")[:LONGEST].strip("-")
