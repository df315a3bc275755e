# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""What a sharing plan tells its user: actions, diff, and why nodes are not ready. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.sharing import Current, Desired, NodeWrite, Plan, Removal, node_results


def present_result(current: Current, plan: Plan, desired: Desired, namespace: str, name: str) -> dict:
    """Return the module's result for state present."""
    nodes = node_results(current.nodes, desired, {write.name: write.wanted for write in plan.labels})
    return {
        "changed": plan.changed,
        "actions": actions(plan, namespace, name),
        "nodes": nodes,
        "diff": diff(current, plan.data, plan.labels, namespace, name) + shares_diff(plan, nodes),
        "warnings": [problem.text() for problem in desired.problems + plan.problems if problem.severity == "warn"],
    }


def absent_result(current: Current, removal: Removal, namespace: str, name: str) -> dict:
    """Return the module's result for state absent."""
    done = ["remove the label of %s" % _nodes(removal.labels)] if removal.labels else []
    if removal.config_map:
        left = ", ".join(sorted(removal.left))
        done.append(("take our keys out of ConfigMap %s/%s, which keeps " + left if left else "delete ConfigMap %s/%s") % (namespace, name))
    return {"changed": bool(done), "actions": done, "diff": diff(current, removal.left, removal.labels, namespace, name)}


def both(first: t.Optional[dict], second: dict) -> dict:
    """Return the result of a run that planned again because somebody wrote between its look and its write."""
    if first is None:
        return second
    actions_of_both = first["actions"] + [action for action in second["actions"] if action not in first["actions"]]
    return dict(second, changed=True, actions=actions_of_both, diff=first["diff"] + [each for each in second["diff"] if each not in first["diff"]])


def actions(plan: Plan, namespace: str, name: str) -> t.List[str]:
    done = []
    if plan.create_namespace:
        done.append("create namespace %s" % namespace)
    if plan.write_config_map:
        done.append("write ConfigMap %s/%s (keys: %s)" % (namespace, name, ", ".join(sorted(plan.data))))
    if plan.labels:
        done.append("label %s" % _nodes(plan.labels))
    if plan.restart:
        done.append("restart the device plugin on %s" % _few(plan.restart))
    if plan.pending and not plan.restart:
        done.append("take the note of due restarts off ConfigMap %s/%s" % (namespace, name))
    return done


def diff(current: Current, data: t.Dict[str, str], labels: t.Sequence[NodeWrite], namespace: str, name: str) -> t.List[dict]:
    """Return what Ansible shows with C(--diff): the ConfigMap, and the label of each node concerned."""
    old = current.config_map["data"] if current.config_map else {}
    shown = []
    if old != data:
        header = "ConfigMap %s/%s" % (namespace, name)
        shown.append({"before_header": header, "after_header": header, "before": _text(old), "after": _text(data)})
    if labels:
        header = "node label nvidia.com/device-plugin.config"
        before = "".join("%s: %s\n" % (write.name, write.seen or "") for write in labels)
        after = "".join("%s: %s\n" % (write.name, write.wanted or "") for write in labels)
        shown.append({"before_header": header, "after_header": header, "before": before, "after": after})
    return shown


def shares_diff(plan: Plan, nodes: t.Sequence[dict]) -> t.List[dict]:
    """Return what each node that the plan concerns advertises now, and will."""
    concerned = set(plan.restart) | {write.name for write in plan.labels}
    both_ways = [(node["name"], node["allocatable"], node["expected"]) for node in nodes if node["name"] in concerned and node["expected"] is not None]
    before, after = ("".join("%s: %s\n" % (row[0], _counts(row[side])) for row in both_ways) for side in (1, 2))
    header = "what nodes advertise"
    return [{"before_header": header, "after_header": header, "before": before, "after": after}] if before != after else []


def _counts(counts: t.Dict[str, int]) -> str:
    return ", ".join("%d %s" % (count, name) for name, count in sorted(counts.items()) if count) or "nothing"


def timeout_message(nodes: t.Sequence[dict], pods: t.Sequence[dict], minimum: int) -> str:
    """Return which nodes did not follow, what they have and should have, and the trouble of their plugin pods."""
    late = [node for node in nodes if not node["ready"]]
    trouble: t.Dict[str, t.List[str]] = {}
    for pod in pods:
        if pod["trouble"]:
            trouble.setdefault(pod["node"], []).append("pod %s: %s" % (pod["name"], pod["trouble"]))
    lines = ["%d of %d GPU nodes did not follow in time (wait_timeout); what was written stays, and the next run continues:" % (len(late), len(nodes))]
    if len(nodes) < minimum:
        lines.append(
            "- %d GPU nodes are known and minimum_nodes is %d. Fix: check that node feature discovery and GPU feature discovery run." % (len(nodes), minimum)
        )
    for node in late[:20]:
        lines.append("- %s (%s): %s" % (node["name"], node["config"], "; ".join([node["reason"]] + trouble.get(node["name"], []))))
    if len(late) > 20:
        lines.append("- and %d more, all in the field nodes" % (len(late) - 20))
    return "\n".join(lines)


def _text(data: t.Dict[str, str]) -> str:
    return "".join("%s: |\n%s" % (key, "".join("  %s\n" % line for line in data[key].splitlines())) for key in sorted(data))


def _nodes(labels: t.Sequence[NodeWrite]) -> str:
    return _few([write.name for write in labels])


def _few(names: t.Sequence[str], most: int = 3) -> str:
    if len(names) > most:
        return "%d nodes" % len(names)
    return "%d node%s (%s)" % (len(names), "s" * (len(names) > 1), ", ".join(names))
