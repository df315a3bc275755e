# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""GPU validation: what is wrong with the options, and which pods prove the GPUs of which nodes. No I/O."""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.workloads import WORKLOADS, Workload
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.inventory import GPU, Counts, is_gpu, is_gpu_node
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.taints import keeping_out, shown

AUTO = "auto"
CUSTOM = "custom"
SMI = "nvidia_smi"
PREFIX = "nvidia.com/"
# Options that mean nothing to a command inside a pod that is there, and the value that they have when they are left out.
NOT_INSIDE = (("saturate", False), ("image", ""), ("kind", "pod"), ("runtime_class", ""), ("requests_per_pod", 1), ("resource", AUTO), ("keep", False))
ONLY_CUSTOM = ("command", "args", "capabilities", "success_pattern")
_RESOURCE = re.compile(r"^nvidia\.com/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
_NAMESPACE = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_CAPABILITY = re.compile(r"^[A-Z][A-Z0-9_]*$")


class Want(t.NamedTuple):
    """What the pods ask for. C(resource) is a resource name or C(auto)."""

    resource: str = AUTO
    count: int = 1
    saturate: bool = False
    tolerations: t.Sequence[dict] = ()


class Check(t.NamedTuple):
    """One planned pod; without a node the scheduler chooses freely."""

    name: str
    resource: str
    node: str = ""


class Plan(t.NamedTuple):
    """C(checks) must run, C(extras) must not find a place. C(skipped) are GPU nodes that cannot be tested, with the reason.

    C(tested) counts the nodes of the checks, C(busy) those of the skipped nodes on which only the pods of others stand in the way.
    """

    checks: t.List[Check]
    extras: t.List[Check]
    skipped: t.List[dict]
    problems: t.List[Problem]
    tested: int = 0
    busy: int = 0


def option_problems(params: t.Dict[str, t.Any]) -> t.List[Problem]:
    """Return what is wrong with the options themselves."""
    found = []
    if not _NAMESPACE.match(params["namespace"]):
        found.append(Problem("namespace", params["namespace"], "not a name of a namespace", "use up to 63 lower case letters, digits and dashes"))
    if params["resource"] != AUTO and not _RESOURCE.match(full_name(params["resource"])):
        found.append(Problem("resource", params["resource"], "not an NVIDIA resource", "write auto, or a name such as nvidia.com/gpu"))
    for name, least in (("requests_per_pod", 1), ("minimum_nodes", 0), ("timeout", 1), ("concurrency", 1)):
        if params[name] < least:
            found.append(Problem(name, params[name], "must be %d or more" % least, "give a larger number"))
    for index, toleration in enumerate(params["tolerations"]):
        if not toleration.get("key") and toleration.get("operator") != "Exists":
            path, rule = "tolerations[%d].key" % index, "may be left out only with operator Exists"
            found.append(Problem(path, toleration.get("key"), rule, "name the taint's key, or set operator to Exists"))
    return found + _workload_problems(params)


def _workload_problems(params: t.Dict[str, t.Any]) -> t.List[Problem]:
    workload = params["workload"]
    found = []
    if workload == CUSTOM and not params["image"]:
        found.append(Problem("image", params["image"], "workload custom has no image of its own", "name the image that the pods run"))
    if workload != CUSTOM:
        for name in ONLY_CUSTOM:
            if params[name]:
                rule = "only has an effect with workload custom, not with %s" % workload
                found.append(Problem(name, params[name], rule, "set workload to custom, or leave it out"))
    for index, capability in enumerate(params["capabilities"]):
        if not _CAPABILITY.match(capability) or capability.startswith("CAP_"):
            rule = "not a capability as Kubernetes writes it"
            found.append(Problem("capabilities[%d]" % index, capability, rule, "write it in capitals and without CAP_, such as SYS_ADMIN"))
    try:
        re.compile(params["success_pattern"])
    except re.error as problem:
        rule = "not a regular expression: %s" % problem
        found.append(Problem("success_pattern", params["success_pattern"], rule, "see Python's module re; escape ( [ * + ? with a backslash"))
    if params["saturate"] and workload != SMI and ends(chosen_workload(params), params["kind"]):
        rule = "workload %s ends and gives its GPU back, so that the GPUs would never all be taken" % workload
        found.append(Problem("saturate", True, rule, "use workload scheduling, or custom with kind pod and without success_pattern"))
    if workload == SMI:
        for name, plain in NOT_INSIDE:
            if params[name] != plain:
                rule = "has no effect with workload nvidia_smi, which runs inside the device plugin's pod"
                found.append(Problem(name, params[name], rule, "leave it out, or use another workload"))
    return found


def full_name(resource: str) -> str:
    return resource if resource == AUTO or "/" in resource else PREFIX + resource


def chosen_workload(params: t.Dict[str, t.Any]) -> Workload:
    """Return the workload of the options: from the catalog, with another image where one is given, or the user's own."""
    if params["workload"] != CUSTOM:
        workload = WORKLOADS[params["workload"]]
        return workload._replace(image=params["image"]) if params["image"] else workload
    return Workload(
        params["image"], tuple(params["command"]), tuple(params["args"]), tuple(params["capabilities"]), params["success_pattern"]
    )


def ends(workload: Workload, kind: str) -> bool:
    """Tell whether a pod proves something only when it has ended well, not already while it runs."""
    return bool(workload.success) or (kind == "job" and not workload.endless)


def make_plan(nodes: t.Sequence[dict], held: t.Sequence[t.Tuple[str, Counts]], want: Want, run: str) -> Plan:
    """Choose the pods: one a node, or as many as there is room for and one more of each resource.

    :param held: for each living pod of others that has a node, that node and the NVIDIA resources that it holds.
    """
    problems = _resource_problems(nodes, want)
    allocated: t.Dict[str, Counts] = {}
    pods: Counts = {}
    for name, resources in held:
        pods[name] = pods.get(name, 0) + 1
        sums = allocated.setdefault(name, {})
        for resource, count in resources.items():
            sums[resource] = sums.get(resource, 0) + count
    slots: t.List[t.Tuple[str, str]] = []
    skipped = []
    busy = 0
    for node in nodes:
        if not is_gpu_node(node):
            continue
        room = node["room"] - pods.get(node["name"], 0)
        found, reason, only_others = _slots(node, allocated.get(node["name"], {}), room, want)
        if reason:
            skipped.append({"node": node["name"], "reason": reason})
            busy += only_others
        elif len(found) > room:
            problems.append(_crowded(node, len(found), room))
        slots += [(node["name"], resource) for resource in found]
    tested = len({node for node, _resource in slots})
    if want.saturate:
        checks = [Check("%s-%d" % (run, number), resource) for number, (_node, resource) in enumerate(slots, 1)]
        resources = sorted({resource for _node, resource in slots}, key=_preference)
        extras = [Check("%s-extra-%d" % (run, number), resource) for number, resource in enumerate(resources, 1)]
        return Plan(checks, extras, skipped, problems, tested, busy)
    checks = [Check("%s-%d" % (run, number), resource, node) for number, (node, resource) in enumerate(slots, 1)]
    return Plan(checks, [], skipped, problems, tested, busy)


def plan_by_node(nodes: t.Sequence[dict]) -> Plan:
    """Choose all GPU nodes that are up, whatever is free on them: the device plugin's pods are there already."""
    gpu_nodes = [node for node in nodes if is_gpu_node(node)]
    skipped = [{"node": node["name"], "reason": "not ready"} for node in gpu_nodes if not node["ready"]]
    checks = [Check(node["name"], "", node["name"]) for node in gpu_nodes if node["ready"]]
    return Plan(checks, [], skipped, [], tested=len(checks))


def is_enough(plan: Plan, minimum: int) -> bool:
    """Tell whether as many nodes are tested as are asked for. A busy one counts: the pods of others show that it gives out its GPUs."""
    return plan.tested + plan.busy >= minimum


def selection_problems(nodes: t.Sequence[dict], selector: str, minimum: int) -> t.List[Problem]:
    if nodes or not selector or minimum == 0:
        return []
    return [Problem("node_selector", selector, "matches none of the cluster's nodes", "see kubectl get nodes --show-labels")]


def _crowded(node: dict, slots: int, room: int) -> Problem:
    rule = "node %s has %d free GPUs but takes only %d more pods (%d at most)" % (node["name"], slots, room, node["room"])
    return Problem("saturate", True, rule, "leave the node out by node_selector, or raise maxPods of its kubelet")


def _resource_problems(nodes: t.Sequence[dict], want: Want) -> t.List[Problem]:
    """Refuse a resource that no node advertises where they advertise others; where they advertise none, each node is skipped for that."""
    known = sorted({name for node in nodes for name, count in node["allocatable"].items() if count})
    if not known or want.resource == AUTO or want.resource in known:
        return []
    fix = "use %s, or auto" % " or ".join(difflib.get_close_matches(want.resource, known, 1) or known)
    return [Problem("resource", want.resource, "none of the %d selected nodes advertises it" % len(nodes), fix)]


def _slots(node: dict, allocated: Counts, room: int, want: Want) -> t.Tuple[t.List[str], str, bool]:
    """Return the resource of each pod that has a place on a node, or the reason why none has, and whether that is only the pods of others."""
    reason = _closed(node, want.tolerations)
    if reason:
        return [], reason, False
    devices = node["allocatable"]
    names = _tested(devices, want)
    if not names:
        wanted = "no NVIDIA GPUs" if want.resource == AUTO else "no " + want.resource
        return [], "advertises %s: does the device plugin run there?" % wanted, False
    free = {name: devices[name] - allocated.get(name, 0) for name in names}
    fitting = [name for name in names if free[name] >= want.count]
    if not fitting:
        reason = "; ".join(_taken(name, free[name], devices[name], want.count) for name in names)
        return [], reason, any(devices[name] >= want.count for name in names)
    if room < 1:
        return [], "has no room for another pod: %d of %d run" % (node["room"] - room, node["room"]), node["room"] > 0
    if want.saturate:
        return [name for name in fitting for _slot in range(free[name] // want.count)], "", False
    return fitting[:1], "", False


def _closed(node: dict, tolerations: t.Sequence[dict]) -> str:
    if not node["ready"]:
        return "not ready"
    if not node["schedulable"]:
        return "cordoned"
    taint = keeping_out(node["taints"], tolerations)
    return "taint %s is not tolerated" % shown(taint) if taint else ""


def _tested(allocatable: Counts, want: Want) -> t.List[str]:
    """Return the resources of a node that stand for GPUs, whole ones first; virtual functions and the like are none."""
    if want.resource != AUTO:
        return [want.resource] if allocatable.get(want.resource) else []
    return sorted((name for name, count in allocatable.items() if count and is_gpu(name)), key=_preference)


def _preference(resource: str) -> t.Tuple[bool, str]:
    return not resource.startswith(GPU), resource


def _taken(name: str, free: int, total: int, count: int) -> str:
    if free <= 0:
        return "%d of %d %s allocated" % (total - free, total, name)
    return "only %d of %d %s free, %d asked for" % (free, total, name, count)
