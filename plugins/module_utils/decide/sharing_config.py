# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Typed sharing configurations: what is wrong with them, and the device plugin configuration they mean."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import selectors

try:
    import yaml
except ImportError:  # comes with the Python client, whose absence is reported before this is needed
    pass

PREFIX = "nvidia.com/"
GPU = "nvidia.com/gpu"
DEFAULT_KEY = "default"
STRATEGIES = {"none": None, "time_slicing": "timeSlicing", "mps": "mps"}
# Clients of one MPS server: CUDA MPS guide; the control daemon compares with 7.5, so that Volta (7.0) gets 16.
MPS_CLIENTS = 48
MPS_CLIENTS_BEFORE_7_5 = 16
# The plugin has no limit for time-slicing; beyond this NVIDIA's guides stop, and context switches eat the GPU.
TIME_SLICING_ADVICE = 48
# etcd and the API server: a ConfigMap holds at most 1 MiB.
CONFIG_MAP_BYTES = 1048576
_NAME = re.compile(r"^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
_RESOURCE = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")


def resource_name(name: str) -> str:
    """Return the full resource name, as the plugin completes it."""
    return name if "/" in name else PREFIX + name


def document(config: dict) -> dict:
    """Return the device plugin configuration (version v1) of one typed configuration."""
    result: t.Dict[str, t.Any] = {"version": "v1", "flags": {"migStrategy": config.get("mig_strategy") or "none"}}
    key = STRATEGIES[config["strategy"]]
    if key:
        sharing: t.Dict[str, t.Any] = {"renameByDefault": bool(config.get("rename_by_default"))}
        if config.get("fail_requests_greater_than_one") is not None:
            sharing["failRequestsGreaterThanOne"] = config["fail_requests_greater_than_one"]
        sharing["resources"] = [{"name": resource_name(r["name"]), "replicas": r["replicas"]} for r in config["resources"]]
        result["sharing"] = {key: sharing}
    return result


def documents(configs: t.Sequence[dict], default: t.Optional[str]) -> t.Dict[str, dict]:
    """Return the device plugin configuration behind each key of the ConfigMap.

    The key C(default) is always there: the plugin's config manager falls back to it on every node without a label. Without a default
    configuration it means: not shared.
    """
    found = {config["name"]: document(config) for config in configs}
    if default and default in found:
        found[DEFAULT_KEY] = found[default]
    found.setdefault(DEFAULT_KEY, {"version": "v1", "flags": {"migStrategy": "none"}})
    return found


def text(meaning: dict) -> str:
    """Return a device plugin configuration as the YAML that people read with kubectl."""
    return yaml.safe_dump(meaning, sort_keys=False, default_flow_style=False)


def problems(configs: t.Sequence[dict], default: t.Optional[str], node_configs: t.Sequence[dict], prefix: str = "") -> t.List[Problem]:
    """Return everything that is wrong with the options as such, without a look at the cluster.

    :param prefix: what stands before each path, so that a role's user reads the role's variable (C(gpu_sharing_)).
    """
    found: t.List[Problem] = []
    seen: t.Dict[str, int] = {}
    for index, config in enumerate(configs):
        path = "%sconfigs[%d]" % (prefix, index)
        found += _config_problems(config, path, seen.get(config["name"]))
        seen.setdefault(config["name"], index)
    if default and default not in seen:
        found.append(Problem(prefix + "default", default, "no such configuration", _defined(seen)))
    if default and default != DEFAULT_KEY and DEFAULT_KEY in seen:
        fix = "rename that configuration, or set default to it"
        found.append(Problem(prefix + "default", default, "a configuration named %r is there too, and its key means the default" % DEFAULT_KEY, fix))
    for index, entry in enumerate(node_configs):
        found += _assignment_problems(entry, "%snode_configs[%d]" % (prefix, index), seen)
    used = {entry["config"] for entry in node_configs} | {default or DEFAULT_KEY}
    for index, config in enumerate(configs):
        if config["name"] not in used:
            fix = "name it in %sdefault or in %snode_configs, or remove it" % (prefix, prefix)
            found.append(Problem("%sconfigs[%d].name" % (prefix, index), config["name"], "no node uses this configuration", fix, "warn"))
    return found + _assigned_twice(configs, node_configs, prefix)


def size_problems(data: t.Dict[str, str], prefix: str = "") -> t.List[Problem]:
    """Return a refusal when the ConfigMap would be larger than the API server takes (1 MiB)."""
    size = sum(len(key.encode()) + len(text.encode()) for key, text in data.items())
    if size <= CONFIG_MAP_BYTES:
        return []
    fix = "use fewer or smaller configurations, or several ConfigMaps with a chart release each"
    return [Problem(prefix + "configs", "%d bytes" % size, "a ConfigMap holds at most %d bytes" % CONFIG_MAP_BYTES, fix)]


def _defined(names: t.Iterable[str]) -> str:
    return "use a defined configuration (defined: %s), or define it" % (", ".join(sorted(names)) or "none")


def _config_problems(config: dict, path: str, first: t.Optional[int]) -> t.List[Problem]:
    found: t.List[Problem] = []
    name, strategy = config["name"], config["strategy"]
    resources = config.get("resources") or []
    if first is not None:
        found.append(Problem(path + ".name", name, "the name is taken by configs[%d]" % first, "give each configuration its own name"))
    if not _NAME.match(name):
        rule = "the name becomes a ConfigMap key and the value of a node label: at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends"
        found.append(Problem(path + ".name", name, rule, "rename the configuration"))
    if strategy == "none" and resources:
        found.append(Problem(path + ".resources", resources, "strategy none shares nothing", "leave resources out, or set strategy to time_slicing or mps"))
    if strategy != "none" and not resources:
        found.append(Problem(path + ".resources", resources, "strategy %s needs at least one resource" % strategy, "name a resource, such as %s" % GPU))
    if strategy == "none" and (config.get("rename_by_default") or config.get("fail_requests_greater_than_one") is not None):
        fix = "leave rename_by_default and fail_requests_greater_than_one out, or set a strategy"
        found.append(Problem(path + ".strategy", strategy, "options of sharing without sharing", fix))
    if strategy == "mps" and config.get("mig_strategy") == "mixed":
        rule = "the device plugin refuses MPS together with the MIG strategy mixed"
        found.append(Problem(path + ".mig_strategy", "mixed", rule, "use time_slicing, or mig_strategy none"))
    taken: t.Set[str] = set()
    for index, resource in enumerate(resources):
        found += _resource_problems(resource, strategy, "%s.resources[%d]" % (path, index), taken)
    return found


def _resource_problems(resource: dict, strategy: str, path: str, taken: t.Set[str]) -> t.List[Problem]:
    name, replicas = resource["name"], resource["replicas"]
    full = resource_name(name)
    found = _name_problems(full, name, path + ".name")
    if full in taken:
        rule = "%s is there twice: the plugin would take the last entry, and GPU feature discovery the first" % full
        found.append(Problem(path + ".name", name, rule, "keep one entry"))
    taken.add(full)
    if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 2:
        found.append(Problem(path + ".replicas", replicas, "a shared resource has 2 or more replicas", "raise replicas, or use strategy none"))
    elif strategy == "mps" and replicas > MPS_CLIENTS:
        rule = "MPS serves at most %d clients a GPU (%d before compute capability 7.5)" % (MPS_CLIENTS, MPS_CLIENTS_BEFORE_7_5)
        found.append(Problem(path + ".replicas", replicas, rule, "lower replicas to %d" % MPS_CLIENTS))
    elif strategy == "time_slicing" and replicas > TIME_SLICING_ADVICE:
        rule = "time-slicing shares neither memory nor faults fairly; nobody recommends more than %d" % TIME_SLICING_ADVICE
        found.append(Problem(path + ".replicas", replicas, rule, "lower replicas to %d" % TIME_SLICING_ADVICE, "warn"))
    if strategy == "mps" and full.startswith(PREFIX + "mig-"):
        found.append(Problem(path + ".name", name, "the device plugin does not share MIG devices by MPS", "use time_slicing"))
    return found


def _name_problems(full: str, name: str, path: str) -> t.List[Problem]:
    if not full.startswith(PREFIX):
        return [Problem(path, name, "the device plugin serves resources of nvidia.com only", "use %s or another name that starts with %s" % (GPU, PREFIX))]
    if not _RESOURCE.match(full[len(PREFIX) :]):
        rule = "behind %s a lowercase RFC 1123 subdomain is needed (a-z, 0-9, '-', '.')" % PREFIX
        small = full[len(PREFIX) :].lower()
        return [Problem(path, name, rule, "write it as %s" % (PREFIX + small if _RESOURCE.match(small) else GPU))]
    if len(full) > 63:
        return [Problem(path, name, "a resource name has at most 63 characters with its prefix", "use the name that the node advertises")]
    return []


def _assignment_problems(entry: dict, path: str, names: t.Iterable[str]) -> t.List[Problem]:
    found = []
    if entry["config"] not in names:
        found.append(Problem(path + ".config", entry["config"], "no such configuration: a node with this label would crash-loop its plugin", _defined(names)))
    if bool(entry.get("nodes")) == bool(entry.get("selector")):
        fix = "give nodes (a list of names) or selector (a label selector)"
        found.append(Problem(path, entry, "exactly one of nodes and selector says which nodes are meant", fix))
    for label in selectors.following(entry.get("selector") or ""):
        rule = "the label %s follows the sharing, so that the assignment would undo itself" % label
        fix = "select by a label that stays, such as %s or one of your own" % selectors.PRODUCT
        found.append(Problem(path + ".selector", entry["selector"], rule, fix))
    return found


def _assigned_twice(configs: t.Sequence[dict], node_configs: t.Sequence[dict], prefix: str) -> t.List[Problem]:
    chosen = {"%snode_configs[%d]" % (prefix, index): (entry["config"], entry.get("nodes") or []) for index, entry in enumerate(node_configs)}
    return conflicts(configs, chosen)


def conflicts(configs: t.Sequence[dict], chosen: t.Dict[str, t.Tuple[str, t.Sequence[str]]]) -> t.List[Problem]:
    """Return a refusal for each two assignments that give a node different configurations.

    :param chosen: configuration and node names by the path of each assignment.
    """
    strategies = {config["name"]: config["strategy"] for config in configs}
    owner: t.Dict[str, t.Tuple[str, str]] = {}
    met: t.Dict[t.Tuple[str, str, str, str], t.List[str]] = {}
    for path, (config, nodes) in chosen.items():
        for node in nodes:
            first_path, first = owner.setdefault(node, (path, config))
            if first != config:
                met.setdefault((path, config, first_path, first), []).append(node)
    found = []
    for (path, config, first_path, first), nodes in met.items():
        more = " (and %d more)" % (len(nodes) - 1) if len(nodes) > 1 else ""
        rule = "node %s%s gets %s (%s) from %s and %s (%s) from here, and a node has one" % (
            nodes[0], more, first, strategies.get(first, "undefined"), first_path, config, strategies.get(config, "undefined"))  # fmt: skip
        found.append(Problem(path, config, rule, "let only one of them match the node"))
    return found
