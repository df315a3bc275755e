# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""GPU sharing: what each node should advertise, what has to be written, and what speaks against it. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import sharing_config
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.inventory import CONFIG, GPU, GPU_SHARED, Counts, is_gpu_node, physical_gpus

PENDING = "gpuops.kubernetes/restart-pending"
LABEL_OF_STRATEGY = {"none": "none", "timeSlicing": "time-slicing", "mps": "mps"}


class Current(t.NamedTuple):
    """What was observed. C(config_map) is None, or {data, owned, pending, labelled}; C(selected) are node names by node_configs index.

    C(mounted) tells of a missing ConfigMap whether pods run that mounted it when it was there.
    """

    namespace_exists: bool
    config_map: t.Optional[dict]
    nodes: t.List[dict]
    selected: t.Dict[int, t.List[str]]
    mounted: bool = False


class Desired(t.NamedTuple):
    """What the options ask for. C(data) is the text, C(documents) the meaning of each ConfigMap key."""

    configs: t.List[dict]
    node_configs: t.List[dict]
    documents: t.Dict[str, dict]
    data: t.Dict[str, str]
    problems: t.List[Problem] = []


def desire(configs: t.List[dict], default: t.Optional[str], node_configs: t.List[dict]) -> Desired:
    """Return what typed options ask for."""
    documents = sharing_config.documents(configs, default)
    return Desired(configs, node_configs, documents, {key: sharing_config.text(documents[key]) for key in sorted(documents)})


class NodeWrite(t.NamedTuple):
    """The label of one node: the value that the plan saw and the one it wants (None: no label)."""

    name: str
    seen: t.Optional[str]
    wanted: t.Optional[str]
    owned: t.List[str]
    annotated: bool


class Plan(t.NamedTuple):
    create_namespace: bool
    write_config_map: bool
    data: t.Dict[str, str]
    pending: t.List[str]
    labels: t.List[NodeWrite]
    restart: t.List[str]
    problems: t.List[Problem]

    @property
    def changed(self) -> bool:
        return self.create_namespace or self.write_config_map or bool(self.labels) or bool(self.pending)


class Removal(t.NamedTuple):
    """What goes: labels of nodes, and our part of the ConfigMap (if any), which leaves these keys of others."""

    labels: t.List[NodeWrite]
    config_map: bool
    left: t.Dict[str, str]


def make_removal(current: Current) -> Removal:
    """Compare what is there with nothing; what others made stays."""
    existing = current.config_map
    labels = [write for write in (_node_write(node, None) for node in current.nodes) if write]
    if existing is None:
        return Removal(labels, False, {})
    return Removal(labels, bool(existing["owned"]), {key: text for key, text in existing["data"].items() if key not in existing["owned"]})


def wanted_labels(current: Current, desired: Desired) -> t.Dict[str, str]:
    """Return the configuration that node_configs gives to each node by name."""
    wanted: t.Dict[str, str] = {}
    for index, entry in enumerate(desired.node_configs):
        for name in current.selected[index]:
            wanted[name] = entry["config"]
    return wanted


def make_plan(current: Current, desired: Desired, prefix: str = "") -> Plan:
    """Compare what is there with what is wanted; one plan serves the run, check mode and the diff.

    :param prefix: what stands before the options in problems, so that a role's user reads the role's variables.
    """
    wanted = wanted_labels(current, desired)
    labels = [write for write in (_node_write(node, wanted.get(node["name"])) for node in current.nodes) if write]
    existing = current.config_map
    old = existing["data"] if existing else {}
    kept = {key: text for key, text in old.items() if not existing or key not in existing["owned"]}
    data = dict(kept, **desired.data)
    write_config_map = existing is None or data != old or not existing["labelled"]
    used = used_configs(current, labels)
    pending = _pending(current, desired, used)
    restart = [name for name in sorted(used) if used[name] in pending]
    problems = cluster_problems(current, desired, used, data, prefix)
    return Plan(not current.namespace_exists, write_config_map, data, sorted(pending), labels, restart, problems)


def _pending(current: Current, desired: Desired, used: t.Dict[str, str]) -> t.Set[str]:
    """Return the keys whose plugin pods still run with older content: what changes now, and what an interrupted run left.

    A ConfigMap that is only being created is mounted by nobody, unless somebody deleted it under running pods.
    """
    existing = current.config_map
    if existing is None and not current.mounted:
        return set()
    data, left = (existing["data"], existing["pending"]) if existing else ({}, [])
    return {key for key, text in desired.data.items() if data.get(key) != text and key in used.values()} | set(left)


def used_configs(current: Current, labels: t.Sequence[NodeWrite]) -> t.Dict[str, str]:
    """Return the ConfigMap key that each GPU node follows once the labels are written."""
    after = {write.name: write.wanted for write in labels}
    return {
        node["name"]: after.get(node["name"], node["labels"].get(CONFIG)) or sharing_config.DEFAULT_KEY for node in current.nodes if is_gpu_node(node)
    }


def _node_write(node: dict, wanted: t.Optional[str]) -> t.Optional[NodeWrite]:
    seen = node["labels"].get(CONFIG)
    ours = CONFIG in node["owned_labels"]
    others = [key for key in node["owned_labels"] if key != CONFIG]
    if wanted is not None and seen != wanted:
        return NodeWrite(node["name"], seen, wanted, others + [CONFIG], node["annotated"])
    if wanted is None and ours:
        return NodeWrite(node["name"], seen, None, others, node["annotated"])
    return None


def cluster_problems(current: Current, desired: Desired, used: t.Dict[str, str], data: t.Dict[str, str], prefix: str) -> t.List[Problem]:
    """Return what speaks against the options on this cluster."""
    found: t.List[Problem] = []
    by_name = {node["name"]: node for node in current.nodes}
    for index, entry in enumerate(desired.node_configs):
        path = "%snode_configs[%d]" % (prefix, index)
        if entry.get("selector") and not current.selected[index]:
            rule = "the selector matches none of the %d nodes" % len(by_name)
            found.append(Problem(path + ".selector", entry["selector"], rule, "correct it, or label the nodes first"))
        unknown = [name for name in current.selected[index] if name not in by_name]
        if unknown:
            rule = "the cluster has no such node: %s" % ", ".join(unknown)
            found.append(Problem(path + ".nodes", entry["nodes"], rule, "use names that kubectl get nodes shows"))
        # Before discovery has run anywhere this is true of every node and says nothing.
        plain = [name for name in current.selected[index] if name in by_name and not is_gpu_node(by_name[name])]
        if plain and used:
            rule = "no GPU is known on %s, where the label does nothing until one is" % _some(plain)
            found.append(Problem(path, entry["config"], rule, "let it match GPU nodes only", "warn"))
    chosen = {"%snode_configs[%d]" % (prefix, i): (entry["config"], current.selected[i]) for i, entry in enumerate(desired.node_configs)}
    found += sharing_config.conflicts(desired.configs, chosen)
    for name in sorted(used):
        if used[name] not in data:
            rule = "its label %s names a key that the ConfigMap does not have, so that its device plugin crash-loops" % CONFIG
            fix = "define a configuration of that name, or remove the label (kubectl label node %s %s-)" % (name, CONFIG)
            found.append(Problem("node %s" % name, used[name], rule, fix))
    return found + _fit_problems(by_name, desired, used, prefix)


def _fit_problems(by_name: t.Dict[str, dict], desired: Desired, used: t.Dict[str, str], prefix: str) -> t.List[Problem]:
    """Compare each configuration with the GPUs of the nodes that use it."""
    found = []
    for index, config in enumerate(desired.configs):
        keys = [key for key, document in desired.documents.items() if document == desired.documents[config["name"]]]
        nodes = [by_name[name] for name in sorted(used) if used[name] in keys]
        for position, resource in enumerate(config.get("resources") or []):
            path = "%sconfigs[%d].resources[%d]" % (prefix, index, position)
            weak = [node["name"] for node in nodes if config["strategy"] == "mps" and mps_clients(node) < resource["replicas"] <= sharing_config.MPS_CLIENTS]
            if weak:
                rule = "MPS serves at most %d clients before compute capability 7.5: %s" % (sharing_config.MPS_CLIENTS_BEFORE_7_5, _some(weak))
                fix = "give these nodes a configuration with at most %d replicas" % sharing_config.MPS_CLIENTS_BEFORE_7_5
                found.append(Problem(path + ".replicas", resource["replicas"], rule, fix))
            full = sharing_config.resource_name(resource["name"])
            lacking = [node["name"] for node in nodes if full != GPU and not _has(node, full)]
            if lacking:
                rule = "%s does not advertise it, and the plugin would share nothing there without a word" % _some(lacking)
                found.append(Problem(path + ".name", resource["name"], rule, "use a resource that the node has, such as %s" % GPU, "warn"))
    return found


def _has(node: dict, resource: str) -> bool:
    return resource in node["capacity"] or resource + ".shared" in node["capacity"] or resource + ".count" in node["labels"]


def mps_clients(node: dict) -> int:
    """Return how many MPS clients a GPU of this node serves; the upper limit while its compute capability is not known."""
    major = node["labels"].get("nvidia.com/gpu.compute.major", "")
    minor = node["labels"].get("nvidia.com/gpu.compute.minor", "0")
    if major.isdigit() and minor.isdigit() and (int(major), int(minor)) < (7, 5):
        return sharing_config.MPS_CLIENTS_BEFORE_7_5
    return sharing_config.MPS_CLIENTS


def _some(names: t.Sequence[str], most: int = 5) -> str:
    listed = ", ".join(names[:most])
    return listed if len(names) <= most else "%s and %d more" % (listed, len(names) - most)


def strategy_of(document: dict) -> t.Tuple[str, dict]:
    """Return the label that GPU feature discovery writes for a configuration, and its sharing section."""
    for key, section in (document.get("sharing") or {}).items():
        return LABEL_OF_STRATEGY[key], section
    return "none", {"resources": []}


def expected(node: dict, document: dict) -> t.Optional[Counts]:
    """Return what the node has to advertise under a configuration; None while its physical GPUs are not counted.

    replicas × devices, under the name with C(.shared) when resources are renamed (k8s-device-plugin v0.20.0, internal/rm).
    """
    physical = physical_gpus(node)
    if physical is None:
        return None
    strategy, section = strategy_of(document)
    suffix = ".shared" if section.get("renameByDefault") else ""
    counts: Counts = {GPU: physical} if physical else {}
    for resource in section["resources"]:
        name = resource["name"]
        devices = physical if name == GPU else int(node["labels"].get(name + ".count") or 0)
        if devices:
            counts.pop(name, None)
            counts[name + suffix] = devices * resource["replicas"]
    return counts


def node_result(node: dict, config: str, document: t.Optional[dict]) -> dict:
    """Return what a node has, what it should have, whether both agree, and if not, why.

    A configuration that somebody else put into the ConfigMap (no document) is not ours to judge: such a node counts as ready.
    """
    wanted = expected(node, document) if document else {}
    strategy, replicas = gpu_sharing(document) if document else ("", 0)
    reason = _reason(node, wanted, strategy, replicas) if document else ""
    return {
        "name": node["name"],
        "product": node["labels"].get("nvidia.com/gpu.product", ""),
        "gpus": physical_gpus(node),
        "config": config,
        "strategy": strategy,
        "replicas": replicas,
        "expected": wanted,
        "capacity": node["capacity"],
        "allocatable": node["allocatable"],
        "ready": not reason,
        "reason": reason,
    }


def gpu_sharing(document: dict) -> t.Tuple[str, int]:
    """Return strategy and replicas that GPU feature discovery writes for whole GPUs: not shared unless they are named."""
    strategy, section = strategy_of(document)
    for resource in section["resources"]:
        if resource["name"] == GPU:
            return strategy, resource["replicas"]
    return "none", 1


def _reason(node: dict, wanted: t.Optional[Counts], strategy: str, replicas: int) -> str:
    if wanted is None:
        return "GPU feature discovery has not counted its GPUs yet (no label nvidia.com/gpu.count)"
    for name in sorted(set(wanted) | {name for name in node["allocatable"] if name.startswith(GPU) and node["allocatable"][name]}):
        should = wanted.get(name, 0)
        if node["allocatable"].get(name, 0) != should:
            return "advertises %d %s, should be %d" % (node["allocatable"].get(name, 0), name, should)
        if should and node["capacity"].get(name, 0) != should:
            return "has a capacity of %d %s, should be %d" % (node["capacity"].get(name, 0), name, should)
    for label, should_be in (("nvidia.com/gpu.sharing-strategy", strategy), ("nvidia.com/gpu.replicas", str(replicas))):
        if node["labels"].get(label) != should_be:
            return "its label %s is %s, should be %s" % (label, node["labels"].get(label), should_be)
    return ""


def node_results(nodes: t.Sequence[dict], desired: Desired, labels: t.Optional[t.Dict[str, str]] = None) -> t.List[dict]:
    """Return C(node_result) of each GPU node.

    :param labels: labels that are planned but not written yet.
    """
    found = []
    for node in nodes:
        if is_gpu_node(node):
            config = (labels or {}).get(node["name"]) or node["labels"].get(CONFIG) or sharing_config.DEFAULT_KEY
            found.append(node_result(node, config, desired.documents.get(config)))
    return found


def shrinking(current: Current, desired: Desired, plan: Plan) -> t.Dict[str, Counts]:
    """Return what will be left, by node, where a resource is going to have fewer devices than now."""
    used = used_configs(current, plan.labels)
    found = {}
    for node in current.nodes:
        document = desired.documents.get(used.get(node["name"], ""))
        wanted = expected(node, document) if document else None
        if wanted is not None and any(wanted.get(name, 0) < count for name, count in node["allocatable"].items() if _governed(name, wanted)):
            found[node["name"]] = wanted
    return found


def _governed(name: str, wanted: Counts) -> bool:
    """Tell whether a plan decides about a resource: not about network devices, nor about MIG devices that it does not name."""
    return name in (GPU, GPU_SHARED) or name in wanted


def shrink_problems(current: Current, desired: Desired, plan: Plan, held: t.Dict[str, Counts]) -> t.List[Problem]:
    """Return a refusal for each node on which running pods hold more than the plan would leave.

    :param held: NVIDIA resources that living pods hold, by node.
    """
    used = used_configs(current, plan.labels)
    found = []
    for name, left in sorted(shrinking(current, desired, plan).items()):
        for resource, count in sorted(held.get(name, {}).items()):
            if _governed(resource, left) and count > left.get(resource, 0):
                rule = "running pods hold %d %s, and %d would be left" % (count, resource, left.get(resource, 0))
                found.append(Problem("node %s" % name, used[name], rule, "move the pods away, or set allow_shrink to accept that they may fail"))
    return found
