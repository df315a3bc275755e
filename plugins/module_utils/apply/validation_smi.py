# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Run nvidia-smi inside the device plugin's pod of each GPU node. Nothing is created."""

from __future__ import annotations

import concurrent.futures
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import validation
from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.workloads import NVIDIA_SMI, NVIDIA_SMI_SUCCESS
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.access import Access, missing_access
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.execute import execute
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError, refuse
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import validation as decide
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import validation_report as report
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe import validation as observe


def ask(connection: Connection, params: t.Dict[str, t.Any], check_mode: bool) -> dict:
    """Return what nvidia-smi says on each GPU node.

    Raises: GpuOpsError that says on which node it failed first, with the result.
    """
    nodes = observe.read_nodes(connection, params["node_selector"])
    refuse(decide.selection_problems(nodes, params["node_selector"], params["minimum_nodes"]), validation.WHAT)
    plan = decide.plan_by_node(nodes)
    warnings = validation.accept(plan, params, len(nodes))
    simulated = frozenset(node["name"] for node in nodes if node["simulated"])
    plugins = observe.read_plugin_pods(connection)
    real = [check.node for check in plan.checks if check.node not in simulated and check.node in plugins]
    places = sorted({plugins[name]["namespace"] for name in real})
    refuse(missing_access(connection, [Access(verb, "pods/exec", "", place) for place in places for verb in ("get", "create")]), validation.WHAT)
    if check_mode or not plan.checks:
        foreseen = report.result(plan, [report.planned(check) for check in plan.checks], [], params["workload"], simulated, None)
        return dict(foreseen, warnings=warnings)

    def asked(check: decide.Check) -> dict:
        return _ask_node(connection, check, plugins.get(check.node), check.node in simulated, params["timeout"])

    with concurrent.futures.ThreadPoolExecutor(max_workers=params["concurrency"]) as pool:
        pods = list(pool.map(asked, plan.checks))
    worst = report.first_failure(pods, lambda pod: False)
    if worst is None:
        return dict(report.result(plan, pods, [], params["workload"], simulated, True), warnings=warnings)
    bad = sum(report.state(pod, False) != report.OK for pod in pods)
    plugin = plugins.get(worst["node"])
    events = observe.read_events(connection, plugin["namespace"], plugin["name"]) if plugin else []
    text = report.failure_text(worst, bad, len(pods), params["workload"], events, params["timeout"])
    raise GpuOpsError(text, **report.result(plan, pods, [], params["workload"], simulated, False))


def _ask_node(connection: Connection, check: decide.Check, plugin: t.Optional[dict], simulated: bool, timeout: float) -> dict:
    record = report.planned(check)
    if plugin is None:
        return dict(record, phase="Failed", reason="NoDevicePlugin", message="no pod of the device plugin is on this node")
    record.update(name=plugin["name"], phase=plugin["phase"], reason=plugin["reason"], message=plugin["message"])
    if plugin["phase"] != "Running" or simulated:
        return record
    try:
        code, output = execute(connection, plugin["namespace"], plugin["name"], plugin["container"], NVIDIA_SMI, timeout)
    except GpuOpsError as error:
        return report.judge_log(dict(record, phase="Failed", reason="NoAnswer", message=error.message), error.details.get("output", ""), "")
    if code:
        message = "%s ended with exit code %d" % (" ".join(NVIDIA_SMI), code)
        return report.judge_log(dict(record, phase="Failed", reason="Error", message=message), output, "")
    return report.judge_log(dict(record, phase="Succeeded"), output, NVIDIA_SMI_SUCCESS)
