# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Run maintenance: look, plan, refuse or write, and wait for nodes to be ready. Drains are in maintenance_drain."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.maintenance_nodes import write_access, write_nodes
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.sharing import twice
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.access import missing_access
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import PASSING, ApiError, Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.wait import wait_for
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError, refuse
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import maintenance as decide
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import maintenance_labels as labels
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import maintenance_report as report
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe import maintenance as observe

Params = t.Dict[str, t.Any]
WHAT = "The maintenance is"


def check_options(params: Params) -> None:
    """Refuse options that are wrong by themselves.

    Raises: GpuOpsError with everything that is wrong with them.
    """
    problems = decide.option_problems(params) + labels.problems(params["labels"], params["taints"], params["prefix"])
    refuse(problems, WHAT)
    params["nodes"] = list(dict.fromkeys(params["nodes"]))


def known_nodes(connection: Connection, params: Params) -> decide.Nodes:
    """Return the records of the nodes.

    Raises: GpuOpsError when the cluster does not know all of them.
    """
    nodes = observe.read_nodes(connection, params["nodes"], params["concurrency"])
    refuse(decide.unknown_nodes(nodes, params["prefix"]), WHAT)
    return nodes


def cordoned(connection: Connection, params: Params, check_mode: bool) -> dict:
    """Cordon nodes."""

    def plan(nodes: decide.Nodes) -> t.Tuple[dict, t.List[decide.NodeWrite]]:
        writes = decide.node_writes(nodes, lambda node: decide.cordon(node, params["reason"]))
        return report.node_result(nodes, "cordon", writes), writes

    return change_nodes(connection, params, check_mode, plan)


def uncordoned(connection: Connection, params: Params, check_mode: bool) -> dict:
    """Take our cordons off nodes."""

    def plan(nodes: decide.Nodes) -> t.Tuple[dict, t.List[decide.NodeWrite]]:
        writes = decide.node_writes(nodes, decide.uncordon)
        return report.uncordon_result(nodes, writes), writes

    return change_nodes(connection, params, check_mode, plan)


def labelled(connection: Connection, params: Params, check_mode: bool) -> dict:
    """Set labels and taints, and remove those that we set before and that are no longer asked for."""

    def plan(nodes: decide.Nodes) -> t.Tuple[dict, t.List[decide.NodeWrite]]:
        refuse(labels.shared_problems(nodes, params["labels"], params["prefix"]), WHAT)
        writes = labels.make_plan(nodes, params["labels"], params["taints"], params["adopt"])
        killing = {} if params["force"] else labels.killing(writes)
        if killing:
            refuse(labels.killing_problems(killing, observe.read_pods(connection, list(killing)), params["prefix"]), WHAT)
        return report.node_result(nodes, "label and taint", writes), writes

    return change_nodes(connection, params, check_mode, plan)


def change_nodes(
    connection: Connection, params: Params, check_mode: bool, plan: t.Callable[[decide.Nodes], t.Tuple[dict, t.List[decide.NodeWrite]]]
) -> dict:
    """Look, have C(plan) decide, and write."""

    def once() -> t.Tuple[dict, t.Callable[[], None]]:
        result, writes = plan(known_nodes(connection, params))
        refuse(missing_access(connection, write_access(writes)), WHAT)
        return result, lambda: None if check_mode else write_nodes(connection, writes, params["concurrency"])

    return twice(once)


def ready(connection: Connection, params: Params, check_mode: bool) -> dict:
    """Write nothing, only wait until all nodes are ready.

    :param connection: one that does not try again by itself. The API server may be away for as long as the wait: it may be what is restarted.

    Raises: GpuOpsError with what each node lacks when time is up.
    """
    trouble: t.List[str] = [""]
    rows: t.List[dict] = []

    def look() -> t.List[dict]:
        try:
            nodes = observe.read_nodes(connection, params["nodes"], params["concurrency"])
            etcd_nodes = observe.read_etcd_nodes(connection) if params["quorum"] else {}
        except ApiError as error:
            if error.status not in (0,) + PASSING or check_mode:
                raise
            trouble[0] = error.message
            return rows
        trouble[0] = ""
        rows[:] = decide.ready_rows(nodes, etcd_nodes, params["version"])
        return rows

    def done(seen: t.List[dict]) -> bool:
        return not trouble[0] and all(row["ready"] for row in seen)

    result = {"changed": False, "actions": []}
    if check_mode:
        return dict(result, nodes=look())
    if wait_for(look, done, timeout=params["timeout"], sleep=params["sleep"])[0]:
        return dict(result, nodes=rows)
    left = [dict(row, node=row["name"]) for row in rows if not row["ready"]]
    # With the cluster out of reach nothing is known of any node, and all of them are waited for.
    left = left or [{"node": name, "reason": trouble[0]} for name in params["nodes"]]
    raise GpuOpsError(report.ready_timeout(rows, trouble[0]), **dict(result, nodes=rows, left=left))
