# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Drain nodes: cordon all of them, then empty one after the other by the eviction API, which heeds PodDisruptionBudgets."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.maintenance import WHAT, Params, known_nodes
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.maintenance_nodes import write_access, write_nodes
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.sharing import twice
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.access import Access, missing_access
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.patch import Write, write_all
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.wait import wait_for
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError, Problem, refuse
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import maintenance as decide
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import maintenance_report as report
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe import maintenance as observe

EVICTION = "/api/v1/namespaces/%s/pods/%s/eviction"


def drained(connection: Connection, evictor: Connection, params: Params, check_mode: bool) -> dict:
    """Cordon the nodes and evict their pods.

    All are cordoned before the first eviction, so that no pod moves from one of them to the next.

    :param evictor: a connection that does not try again by itself: 429 is a PodDisruptionBudget's no, and the drain asks again anyway.

    Raises: GpuOpsError when something speaks against it, or with what is in the way when time is up.
    """
    plans: t.List[decide.Drain] = []

    def plan() -> t.Tuple[dict, t.Callable[[], None]]:
        nodes, drain, problems = look_and_plan(connection, params)
        refuse(problems, WHAT)
        needed = write_access(drain.writes) + ([Access("create", "pods/eviction")] if drain.evict else [])
        refuse(missing_access(connection, needed), WHAT)
        plans.append(drain)
        return report.drain_result(nodes, drain), lambda: None if check_mode else write_nodes(connection, drain.writes, params["concurrency"])

    result = twice(plan)
    if check_mode:
        return result
    written = [write for drain in plans for write in drain.writes]
    evictions = Evictions(connection, evictor, params)
    try:
        drain = plans[-1]
        if written:
            # Pods may have come between the look and the cordon.
            drain = look_and_plan_again(connection, params)
        evictions.run(drain, {view["name"]: view for view in result["nodes"]})
    except GpuOpsError as error:
        raise GpuOpsError(error.message, **dict(result, **dict(error.details, changed=bool(written or evictions.accepted))))
    return result


def look_and_plan(connection: Connection, params: Params) -> t.Tuple[decide.Nodes, decide.Drain, t.List[Problem]]:
    """Return the nodes, what has to be done, and what speaks against it."""
    nodes = known_nodes(connection, params)
    drain = decide.make_drain(nodes, observe.read_pods(connection, params["nodes"]), params["reason"], params["only_pods"])
    budgets = observe.read_budgets(connection) if drain.evict else []
    return nodes, drain, decide.drain_problems(drain.evict, budgets, params["force"], params["delete_emptydir_data"], params["prefix"])


def look_and_plan_again(connection: Connection, params: Params) -> decide.Drain:
    """Return what has to be done on nodes that are cordoned by now.

    Raises: GpuOpsError when a pod came that may not be evicted.
    """
    drain, problems = look_and_plan(connection, params)[1:]
    if problems:
        raise GpuOpsError(report.came_late(problems), problems=[problem._asdict() for problem in problems])
    return drain


class Evictions:
    """The evictions of one run, with the server's last answer to each that it did not accept, by UID."""

    def __init__(self, connection: Connection, evictor: Connection, params: Params) -> None:
        self._connection, self._evictor, self._params = connection, evictor, params
        self._deadline = time.monotonic() + params["timeout"]
        self._answers: t.Dict[str, str] = {}
        self.accepted: t.Set[str] = set()

    def run(self, drain: decide.Drain, views: t.Dict[str, dict]) -> None:
        """Empty the nodes in order.

        Raises: GpuOpsError with each pod that is left when time is up.
        """
        # A pod of the same name that was made again has another UID, and is none of these.
        pods = drain.evict + drain.ending
        for name in self._params["nodes"]:
            mine = {pod["uid"] for pod in pods if pod["node"] == name}
            if mine and not self._empty(name, mine):
                self._complain(name, {pod["uid"] for pod in pods}, views[name])

    def _empty(self, name: str, uids: t.Set[str]) -> bool:
        def look() -> t.List[dict]:
            left = [pod for pod in observe.read_pods(self._connection, [name]) if pod["uid"] in uids]
            self._evict([pod for pod in left if not pod["terminating"]])
            return left

        timeout = max(self._deadline - time.monotonic(), 0.0)
        return wait_for(look, lambda left: not left, timeout=timeout, sleep=self._params["sleep"])[0]

    def _evict(self, pods: t.Sequence[dict]) -> None:
        grace = self._params["grace_period"]
        writes = [Write(pod["uid"], "POST", EVICTION % (pod["namespace"], pod["name"]), eviction(pod, grace), "application/json") for pod in pods]
        refused = write_all(self._evictor, writes, self._params["concurrency"])
        self._answers.update({uid: error.message for uid, error in refused.items()})
        self.accepted |= {pod["uid"] for pod in pods} - set(refused)

    def _complain(self, at: str, uids: t.Set[str], view: dict) -> None:
        pods = [pod for pod in observe.read_pods(self._connection, self._params["nodes"]) if pod["uid"] in uids]
        if not any(pod["node"] == at for pod in pods):
            return
        left = report.left_of_drain(pods, observe.read_budgets(self._connection), self._answers, at)
        raise GpuOpsError(report.drain_timeout(view, left), left=left)


def eviction(pod: dict, grace_period: t.Optional[int]) -> dict:
    """Return the body of an eviction of exactly this pod, not of a later one of the same name."""
    options: t.Dict[str, t.Any] = {"preconditions": {"uid": pod["uid"]}}
    if grace_period is not None:
        options["gracePeriodSeconds"] = grace_period
    metadata = {"name": pod["name"], "namespace": pod["namespace"]}
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata, "deleteOptions": options}
