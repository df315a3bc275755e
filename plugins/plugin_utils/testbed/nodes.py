# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From descriptions of simulated nodes (gpu_simulated_nodes) to Node objects; pure."""

from __future__ import annotations

import difflib
import json
import re
import time
import zlib

from .errors import BadInput, problem
from .versions import KUBERNETES, KWOK

VARIABLE = "gpu_simulated_nodes"
FAKE = {"kwok.x-k8s.io/node": "fake"}
HARDWARE = "gpuops.kubernetes/simulated-gpu"
FAULT = "gpuops.kubernetes/simulated-fault"
# What was declared for a node when it was last written: what is gone from the declaration since is taken off the node.
DECLARED = "gpuops.kubernetes/simulated-node"
FAULTS = ("never-ready", "stale-capacity", "crash")

_DEFAULTS = {"nodes": 1, "model": None, "gpus": None, "driver_version": None, "labels": {}, "taints": [], "fault": ""}
_DEFAULTS.update({"cpus": 64, "memory": "512Gi", "pods": 110})
KEYS = ["name"] + list(_DEFAULTS)
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_PART = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_KEY = re.compile(r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?%s$" % _PART)
_LABEL_VALUE = re.compile(r"^(%s)?$" % _PART)
_NODE_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$")
_QUANTITY = re.compile(r"^[1-9][0-9]*(Ki|Mi|Gi|Ti|k|M|G|T)?$")
_DRIVER = re.compile(r"^[0-9]{3}\.[0-9]{1,3}(\.[0-9]{1,3})?$")


def manifests(descriptions, describe):
    """Return one Node object per simulated node; BadInput with every problem found.

    describe(model, gpus, driver_version) returns the hardware of a node, or raises ValueError.
    """
    problems, result, owners = [], [], {}
    if not isinstance(descriptions, (list, tuple)):
        raise BadInput([problem(VARIABLE, descriptions, "must be a list of node descriptions", "see the example in inventories/demo")])
    for index, description in enumerate(descriptions):
        path = "%s[%d]" % (VARIABLE, index)
        found, item = _checked(path, description)
        hardware = None
        if not found and item["gpus"]:
            try:
                hardware = describe(item["model"], item["gpus"], item["driver_version"])
            except ValueError as error:
                found = [problem(path + ".model", item["model"], str(error), "use a known model, or describe the card as a mapping")]
        problems += found
        for name in [] if found else _names(item):
            if name in owners:
                rule = "node %s is described by %s as well" % (name, owners[name])
                problems.append(problem(path + ".name", item["name"], rule, "give each description a name of its own"))
                break
            owners[name] = path
            result.append(_manifest(name, item, hardware))
    if problems:
        raise BadInput(problems)
    return result


def _names(item):
    if item["nodes"] == 1:
        return [item["name"]]
    return ["%s-%d" % (item["name"], number + 1) for number in range(item["nodes"])]


def _checked(path, description):
    """Return the problems of one description and the description with its defaults."""
    if not isinstance(description, dict):
        return [problem(path, description, "must be a mapping", "write name, model and gpus, each with its value")], None
    problems = []
    for key in description:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key), KEYS, n=1)
            fix = "did you mean %s?" % near[0] if near else "use " + ", ".join(KEYS)
            problems.append(problem("%s.%s" % (path, key), description[key], "is not a key of a node description", fix))
    item = dict(_DEFAULTS)
    item.update((key, value) for key, value in description.items() if key in KEYS and value is not None)
    if item["gpus"] is None:
        item["gpus"] = 1 if item["model"] else 0
    for key, least, most in (("nodes", 1, 10000), ("gpus", 0, 16), ("cpus", 1, 4096), ("pods", 1, 10000)):
        item[key] = _whole_number(problems, "%s.%s" % (path, key), item[key], least, most)
    if not problems:
        _check_texts(problems, path, item)
        _check_gpu(problems, path, item)
        _check_labels(problems, path, item["labels"])
        _check_taints(problems, path, item["taints"])
    return problems, item


def _whole_number(problems, path, value, least, most):
    # Templates may deliver a number as text.
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        problems.append(problem(path, value, "must be a whole number from %d to %d" % (least, most), "write such a number"))
    return value


def _check_texts(problems, path, item):
    name = item.get("name")
    longest = _names(dict(item, name=name))[-1] if isinstance(name, str) else ""
    if not _NODE_NAME.match(longest):
        rule = "must be a node name: lower case letters, digits, dashes and dots, 63 characters at most with its number"
        problems.append(problem(path + ".name", name, rule, "write a name such as a100"))
    if not (isinstance(item["memory"], str) and _QUANTITY.match(item["memory"])):
        problems.append(problem(path + ".memory", item["memory"], "must be a Kubernetes quantity", "write it as 512Gi"))
    # Without a version the model's table row says which driver it runs.
    if not (item["driver_version"] is None or isinstance(item["driver_version"], str) and _DRIVER.match(item["driver_version"])):
        rule = "must be a driver version in quotes"
        problems.append(problem(path + ".driver_version", item["driver_version"], rule, 'write it as "580.95.05"'))
    if item["fault"] not in ("",) + FAULTS:
        rule = "must be one of %s, or absent" % ", ".join(FAULTS)
        problems.append(problem(path + ".fault", item["fault"], rule, "choose one, or remove the key"))


def _check_gpu(problems, path, item):
    if item["gpus"] and not item["model"]:
        rule = "is missing although gpus is %d" % item["gpus"]
        problems.append(problem(path + ".model", item["model"], rule, "name the GPU's model, or set gpus to 0 for a CPU node"))
    if item["model"] and not item["gpus"]:
        rule = "must be at least 1 where a model is given"
        problems.append(problem(path + ".gpus", item["gpus"], rule, "say how many GPUs the node has, or remove the model"))


def _check_labels(problems, path, labels):
    if not isinstance(labels, dict):
        problems.append(problem(path + ".labels", labels, "must be a mapping", "write key: value"))
        return
    for key, value in labels.items():
        if not (isinstance(key, str) and _LABEL_KEY.match(key)):
            problems.append(problem("%s.labels" % path, key, "is not a label key", "write it as example.com/name"))
        elif not (isinstance(value, str) and _LABEL_VALUE.match(value)):
            rule = "must be text of at most 63 letters, digits, dashes, dots and underscores"
            problems.append(problem("%s.labels[%s]" % (path, key), value, rule, "put numbers and true/false into quotes"))


def _check_taints(problems, path, taints):
    if not isinstance(taints, (list, tuple)):
        problems.append(problem(path + ".taints", taints, "must be a list", "write a list of {key, value, effect}"))
        return
    for index, taint in enumerate(taints):
        at = "%s.taints[%d]" % (path, index)
        if not isinstance(taint, dict) or not set(taint) <= {"key", "value", "effect"}:
            problems.append(problem(at, taint, "must be a mapping of key, value and effect", "write {key: ..., effect: NoSchedule}"))
        elif not (isinstance(taint.get("key"), str) and _LABEL_KEY.match(taint["key"])):
            problems.append(problem(at + ".key", taint.get("key"), "is not a taint key", "write it as example.com/name"))
        elif not (isinstance(taint.get("value", ""), str) and _LABEL_VALUE.match(taint.get("value", ""))):
            problems.append(problem(at + ".value", taint["value"], "is not a taint value", "put numbers and true/false into quotes"))
        elif taint.get("effect") not in _EFFECTS:
            rule = "must be one of " + ", ".join(_EFFECTS)
            problems.append(problem(at + ".effect", taint.get("effect"), rule, "write one of them"))


def _manifest(name, item, hardware):
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        # The controller manager would add these two, one write a node.
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "type": "kwok",
    }
    labels.update(item["labels"])
    annotations = dict(FAKE)
    if hardware:
        annotations[HARDWARE] = _json(hardware)
    if item["fault"]:
        annotations[FAULT] = str(item["fault"])
    taints = [dict(sorted(taint.items())) for taint in item["taints"]]
    annotations[DECLARED] = _json({"labels": sorted(labels), "annotations": sorted(annotations), "taints": taints})
    # The GPUs are not here: a node has none until its device plugin runs.
    room = {"cpu": str(item["cpus"]), "memory": item["memory"], "pods": str(item["pods"]), "ephemeral-storage": "1Ti"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        "spec": {"taints": taints} if taints else {},
        "status": {
            "capacity": room,
            "allocatable": dict(room),
            "addresses": [{"type": "InternalIP", "address": _address(name)}, {"type": "Hostname", "address": name}],
            "nodeInfo": _node_info(),
            "conditions": _conditions(),
        },
    }


def _json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _address(name):
    """Return an address in 10.64.0.0/10 that depends on the name alone; nothing is ever sent to it."""
    number = zlib.crc32(name.encode()) & 0x3FFFFF
    return "10.%d.%d.%d" % (64 + (number >> 16), (number >> 8) & 255, number & 255)


def _conditions():
    """Return the conditions of a healthy node: it is born ready, which spares KWOK one write a node."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    conditions = [("Ready", "True", "KubeletReady", "the simulated kubelet is ready")]
    conditions += [
        (kind, "False", "KubeletHas" + reason, "the simulated kubelet has " + text)
        for kind, reason, text in (
            ("MemoryPressure", "SufficientMemory", "sufficient memory"),
            ("DiskPressure", "NoDiskPressure", "no disk pressure"),
            ("PIDPressure", "SufficientPID", "sufficient PIDs"),
        )
    ]
    fields = ("type", "status", "reason", "message")
    return [dict(zip(fields, each), lastHeartbeatTime=now, lastTransitionTime=now) for each in conditions]


def _node_info():
    empty = dict.fromkeys(("machineID", "systemUUID", "bootID", "kernelVersion", "kubeProxyVersion"), "")
    known = {
        "osImage": "simulated",
        "containerRuntimeVersion": "kwok://" + KWOK,
        "kubeletVersion": "v" + KUBERNETES,
        "operatingSystem": "linux",
        "architecture": "amd64",
    }
    return dict(empty, **known)
