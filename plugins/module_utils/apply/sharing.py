# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Run GPU sharing: look, plan, write, and wait until the nodes follow."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import sharing_objects as objects
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.access import missing_access
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.wait import wait_for
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError, Problem, refuse
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import sharing, sharing_config
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import sharing_report as report
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.inventory import held_by
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe import nodes as observe_nodes
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe import sharing as observe

Params = t.Dict[str, t.Any]
WHAT = "The sharing plan is"
REMOVAL = "Removing the sharing is"
# Up to so many late nodes are read one by one instead of all nodes at once.
FEW = 25


def asked_for(params: Params) -> sharing.Desired:
    """Return what the options ask for.

    Raises: GpuOpsError with everything that is wrong with them.
    """
    options = params["configs"], params["default"], params["node_configs"]
    problems = sharing_config.problems(*options, prefix=params["prefix"])
    refuse(problems, WHAT)
    desired = sharing.desire(*options)
    refuse(sharing_config.size_problems(desired.data, params["prefix"]), WHAT)
    return desired._replace(problems=problems)


def present(connection: Connection, desired: sharing.Desired, params: Params, check_mode: bool) -> dict:
    """Write what is asked for, and wait for the nodes where that is asked for too."""
    namespace, name = params["namespace"], params["config_map"]

    def plan() -> t.Tuple[dict, t.Callable[[], None]]:
        current, made = plan_for(connection, desired, params)
        result = report.present_result(current, made, desired, namespace, name)
        if check_mode:
            return result, lambda: dry_run(connection, current, made, desired, params)
        return result, lambda: objects.apply_plan(connection, made, namespace, name, desired.data, params["concurrency"])

    result = twice(plan)
    if params["wait"] and not check_mode:
        result["nodes"] = wait_for_nodes(connection, desired, params, result)
    return result


def twice(plan: t.Callable[[], t.Tuple[dict, t.Callable[[], None]]]) -> dict:
    """Plan and write; when somebody else wrote between our look and our write, look and plan again, once.

    :param plan: returns the result of a plan, and the function that carries it out.
    """
    earlier: t.Optional[dict] = None
    while True:
        result, write = plan()
        result = report.both(earlier, result)
        try:
            write()
            return result
        except objects.Conflict:
            if earlier is not None:
                raise
            earlier = result


def plan_for(connection: Connection, desired: sharing.Desired, params: Params) -> t.Tuple[sharing.Current, sharing.Plan]:
    """Return what is there and what has to be done.

    Raises: GpuOpsError when the cluster, its running pods or the user's rights speak against it.
    """
    current = observe.read_current(connection, params["namespace"], params["config_map"], params["node_configs"], params["prefix"])
    plan = sharing.make_plan(current, desired, params["prefix"])
    problems = list(plan.problems)
    if not params["allow_shrink"] and sharing.shrinking(current, desired, plan):
        held = held_by(observe_nodes.read_gpu_pods(connection), "node")
        problems += sharing.shrink_problems(current, desired, plan, held)
    refuse(problems, WHAT)
    refuse(missing_access(connection, objects.needed_access(plan, params["namespace"])), WHAT)
    return current, plan


def dry_run(connection: Connection, current: sharing.Current, plan: sharing.Plan, desired: sharing.Desired, params: Params) -> None:
    """Have the server judge the ConfigMap, admission included."""
    if plan.write_config_map and current.namespace_exists:
        objects.apply_config_map(connection, params["namespace"], params["config_map"], desired.data, plan.pending, dry_run=True)


def ready(connection: Connection, desired: sharing.Desired, params: Params, check_mode: bool) -> dict:
    """Write nothing, only wait for the nodes."""
    result: dict = {"changed": False, "actions": []}
    if params["wait"] and not check_mode:
        return dict(result, nodes=wait_for_nodes(connection, desired, params, result))
    return dict(result, nodes=sharing.node_results(observe_nodes.read_nodes(connection), desired))


def wait_for_nodes(connection: Connection, desired: sharing.Desired, params: Params, result: dict) -> t.List[dict]:
    """Wait until all nodes advertise what they should.

    Raises: GpuOpsError with what each node has and should have when time is up.
    """
    last: t.Dict[str, dict] = {}

    def look() -> t.List[dict]:
        late = [name for name, node in last.items() if not node["ready"]]
        some = late if len(last) >= params["minimum_nodes"] and 0 < len(late) <= FEW else None
        for name in some or list(last):
            del last[name]
        last.update((node["name"], node) for node in sharing.node_results(observe.read_some(connection, some), desired))
        return [last[name] for name in sorted(last)]

    def done(nodes: t.List[dict]) -> bool:
        return len(nodes) >= params["minimum_nodes"] and all(node["ready"] for node in nodes)

    met, nodes = wait_for(look, done, timeout=params["wait_timeout"], sleep=params["wait_sleep"])
    if not met:
        pods = observe.read_trouble(connection, params["namespace"], params["config_map"])
        message = report.timeout_message(nodes, pods, params["minimum_nodes"])
        raise GpuOpsError(message, **dict(result, nodes=nodes))
    return nodes


def absent(connection: Connection, params: Params, check_mode: bool) -> dict:
    """Remove what the module set, and nothing of others."""
    namespace, name = params["namespace"], params["config_map"]

    def plan() -> t.Tuple[dict, t.Callable[[], None]]:
        current = observe.read_current(connection, namespace, name, [])
        removal = sharing.make_removal(current)
        refuse(mounted(connection, removal, params), REMOVAL)
        refuse(missing_access(connection, objects.removal_access(removal, namespace)), REMOVAL)
        result = report.absent_result(current, removal, namespace, name)
        return result, lambda: None if check_mode else objects.remove(connection, removal, namespace, name, params["concurrency"])

    return twice(plan)


def mounted(connection: Connection, removal: sharing.Removal, params: Params) -> t.List[Problem]:
    """Return a refusal where a DaemonSet mounts the ConfigMap that is to go."""
    if not removal.config_map or params["allow_mounted"]:
        return []
    mounting = observe.read_mounting_daemon_sets(connection, params["namespace"], params["config_map"])
    rule = "mounted by DaemonSet %s, whose new pods could not start without it" % ", ".join(mounting)
    fix = "uninstall the device plugin first, or set %sallow_mounted where it goes at the same time" % params["prefix"]
    return [Problem(params["prefix"] + "config_map", params["config_map"], rule, fix)] if mounting else []
