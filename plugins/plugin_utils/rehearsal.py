# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""From the hosts of an inventory to descriptions of simulated nodes. No I/O."""

from __future__ import annotations

import re
import typing as t

# What a host may say about its GPUs, the first that is there counts.
DECLARED, RECORDED = "gpu_simulated_gpu", "gpu_facts"


class Rejected(ValueError):
    """A host's description that cannot become a node, with all that is wrong."""


def descriptions(hosts: t.Mapping[str, t.Mapping[str, t.Any]], declared: t.Sequence[dict]) -> t.List[dict]:
    """Return descriptions of nodes: one for each host, and those that are declared as such.

    A declared description with the name of a host takes its place.

    Raises: Rejected, naming host, value, rule and fix.
    """
    problems: t.List[str] = []
    nodes: t.Dict[str, dict] = {}
    owners: t.Dict[str, str] = {}
    for host, variables in hosts.items():
        name = node_name(host)
        if name in owners:
            problems.append("host %s: its node would be called %s, like that of %s; fix: rename one of them" % (host, name, owners[name]))
        owners[name] = host
        nodes[name] = _node(name, host, variables, problems)
    for entry in declared:
        nodes.pop(str(entry.get("name", "")), None)
    if problems:
        raise Rejected("\n".join(problems))
    return list(nodes.values()) + [dict(entry) for entry in declared]


def node_name(host: str) -> str:
    """Return the node name that a kubelet would derive: lower case, and only what DNS allows."""
    return re.sub(r"[^a-z0-9.-]+", "-", host.lower()).strip("-.")[:63].rstrip("-.")


def _node(name: str, host: str, variables: t.Mapping[str, t.Any], problems: t.List[str]) -> dict:
    node: t.Dict[str, t.Any] = {"name": name}
    try:
        node.update(_gpus(variables))
        node["labels"] = labels(variables.get("node_labels"))
        node["taints"] = taints(variables.get("node_taints"))
    except Rejected as problem:
        problems.append("host %s: %s" % (host, problem))
    return node


def _gpus(variables: t.Mapping[str, t.Any]) -> dict:
    if variables.get(DECLARED):
        said = variables[DECLARED]
        if not isinstance(said, dict) or not said.get("model"):
            raise Rejected('%s: %r: a map with model and gpus is needed; fix: write {model: "A100-SXM4-80GB", gpus: 8}' % (DECLARED, said))
        kept = {key: said[key] for key in ("model", "gpus", "driver_version", "fault", "cpus", "memory", "pods") if key in said}
        return dict({"gpus": 1}, **kept)
    return _recorded(variables.get(RECORDED) or {})


def _recorded(facts: t.Any) -> dict:
    """Return model, number and driver from recorded facts: C(gpus) is a list of devices, or a number beside C(model)."""
    if not isinstance(facts, dict):
        raise Rejected("%s: %s: a map is needed; fix: leave it out, or declare %s" % (RECORDED, type(facts).__name__, DECLARED))
    devices = facts.get("gpus")
    if isinstance(devices, list):
        models = sorted({_model_of(device) for device in devices})
        if len(models) > 1:
            fix = "declare %s with the model that matters for the rehearsal" % DECLARED
            raise Rejected("%s: %s: a simulated node has GPUs of one model; fix: %s" % (RECORDED, ", ".join(models), fix))
        found = {"model": models[0], "gpus": len(devices)} if devices else {}
    else:
        found = {"model": facts["model"], "gpus": int(devices or 1)} if facts.get("model") else {}
    if found and facts.get("driver_version"):
        found["driver_version"] = str(facts["driver_version"])
    return found


def _model_of(device: t.Any) -> str:
    if isinstance(device, dict):
        for key in ("model", "product", "product_name", "name"):
            if device.get(key):
                return str(device[key])
    raise Rejected("%s.gpus: a device without model, product or name; fix: declare %s" % (RECORDED, DECLARED))


def labels(said: t.Any) -> t.Dict[str, str]:
    """Return node labels from a map, or from the list of C(key=value) that k3s and RKE2 take."""
    if not said:
        return {}
    if isinstance(said, dict):
        return {str(key): str(value) for key, value in said.items()}
    entries = [said] if isinstance(said, str) else said
    found = {}
    for entry in entries:
        key, equals, value = str(entry).partition("=")
        if not equals:
            raise Rejected("node_labels: %r: a label is key=value; fix: write %s=true" % (entry, key))
        found[key] = value
    return found


def taints(said: t.Any) -> t.List[dict]:
    """Return taints from maps, or from the list of C(key=value:Effect) that k3s and RKE2 take."""
    found = []
    for entry in [said] if isinstance(said, (str, dict)) else said or []:
        if isinstance(entry, dict):
            found.append(dict(entry))
            continue
        both, colon, effect = str(entry).rpartition(":")
        if not colon:
            raise Rejected("node_taints: %r: a taint is key=value:Effect; fix: write %s:NoSchedule" % (entry, entry))
        key, _equals, value = both.partition("=")
        found.append(dict({"key": key, "effect": effect}, **({"value": value} if value else {})))
    return found
