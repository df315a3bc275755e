# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Run a GPU validation: plan, create, follow, judge, and clean up however it ends."""

from __future__ import annotations

import concurrent.futures
import secrets
import time
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import validation_objects as objects
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.access import missing_access
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import ApiError, Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.wait import wait_for
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError, refuse
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.signals import Signals
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import validation as decide
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import validation_pods as pods
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import validation_report as report
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe import validation as observe

WHAT = "The GPU validation is"
# The nodes end a pod whose run was killed, some time after the run itself would have.
GRACE = 120


class Run(t.NamedTuple):
    """One validation at work."""

    connection: Connection
    shape: pods.Shape
    plan: decide.Plan
    name: str
    leftovers: int
    simulated: t.FrozenSet[str]
    timeout: float
    deadline: float
    concurrency: int
    warnings: t.List[str]

    def must_end(self, pod: dict) -> bool:
        return pod["node"] not in self.simulated and decide.ends(self.shape.workload, self.shape.kind)

    def is_done(self, pod: dict) -> bool:
        return report.state(pod, self.must_end(pod)) != report.WAITING

    def result(self, found_pods: t.Sequence[dict], extras: t.Sequence[dict], ok: t.Optional[bool]) -> dict:
        return report.result(self.plan, found_pods, extras, self.name, self.simulated, ok)


def plan(connection: Connection, params: t.Dict[str, t.Any]) -> Run:
    """Read the cluster and choose the pods.

    Raises: GpuOpsError when options, cluster or rights speak against it, or when too few nodes can be tested.
    """
    workload, namespace = decide.chosen_workload(params), params["namespace"]
    priority = pods.priority_class_name(namespace) if params["saturate"] else ""
    seen = observe.read_cluster(connection, params["node_selector"], namespace, priority)
    run_id = "gpu-check-" + secrets.token_hex(4)
    want = decide.Want(decide.full_name(params["resource"]), params["requests_per_pod"], params["saturate"], params["tolerations"])
    planned = decide.make_plan(seen.nodes, seen.held, want, run_id)
    shape = pods.Shape(
        run=run_id,
        namespace=namespace,
        workload=workload,
        custom=params["workload"] == decide.CUSTOM,
        kind=params["kind"],
        count=params["requests_per_pod"],
        tolerations=params["tolerations"],
        runtime_class=params["runtime_class"],
        node_selector=params["node_selector"],
        priority_class=priority,
        deadline=int(params["timeout"]) + GRACE,
    )
    runtimes = observe.read_runtime_classes(connection) if shape.runtime_class else None
    # Without pods nothing is made that could be in the way, or that needs rights.
    in_the_way = pods.cluster_problems(shape, seen.home, seen.priority, runtimes) if planned.checks else []
    refuse(decide.selection_problems(seen.nodes, params["node_selector"], params["minimum_nodes"]) + planned.problems + in_the_way, WHAT)
    warnings = accept(planned, params, len(seen.nodes))
    simulated = frozenset(node["name"] for node in seen.nodes if node["simulated"])
    reads_logs = any(not node["simulated"] for node in seen.nodes)
    if planned.checks:
        refuse(missing_access(connection, objects.needed_access(shape, seen, reads_logs)), WHAT)
    timeout = params["timeout"]
    deadline = time.monotonic() + timeout
    return Run(connection, shape, planned, params["workload"], seen.leftovers, simulated, timeout, deadline, params["concurrency"], warnings)


def accept(planned: decide.Plan, params: t.Dict[str, t.Any], nodes: int) -> t.List[str]:
    """Return what to warn of in a plan.

    Raises: GpuOpsError when it tests too few nodes, or when it skips some and that is forbidden.
    """
    if not decide.is_enough(planned, params["minimum_nodes"]):
        raise GpuOpsError(report.few_text(planned, params["minimum_nodes"], nodes), skipped=planned.skipped)
    if params["fail_on_skipped"] and planned.skipped:
        raise GpuOpsError(report.skipped_text(planned.skipped), skipped=planned.skipped)
    return report.warnings(planned, params["minimum_nodes"], nodes)


def preview(run: Run, keep: bool) -> dict:
    planned, extras = [[report.planned(each) for each in checks] for checks in (run.plan.checks, run.plan.extras)]
    return dict(kept(run.result(planned, extras, None), keep and bool(planned)), warnings=run.warnings)


def kept(result: dict, keep: bool) -> dict:
    """Return the result of a run, which changed something only where its pods stay."""
    return dict(result, changed=keep, diff=report.diff([], [pod["name"] for pod in result["pods"]] if keep else []))


def validate(run: Run, keep: bool) -> dict:
    """Run all pods, and remove all that was made, also when a signal ends the run. Without pods, only what a killed run left is removed.

    Raises: GpuOpsError when a pod failed, or when something could not be removed.
    """
    left: t.List[str] = []
    keep = keep and bool(run.plan.checks)
    try:
        with Signals() as signals:
            try:
                try:
                    result = check(run) if run.plan.checks else run.result([], [], None)
                finally:
                    signals.shield()
            finally:
                if not keep:
                    left += objects.clean_up(run.connection, run.shape.namespace, run.concurrency)[1]
    except GpuOpsError as error:
        raise GpuOpsError("\n".join([error.message] + left_lines(left)), **dict(error.details, changed=keep))
    if left:
        raise GpuOpsError("\n".join(["GPU validation: " + result["summary"]] + left_lines(left)), **result)
    warnings = ["An earlier GPU validation had been killed: %d of its pods were removed first." % run.leftovers] if run.leftovers else []
    return dict(kept(result, keep), warnings=run.warnings + warnings)


def left_lines(left: t.Sequence[str]) -> t.List[str]:
    lines = ["Not removed: %s." % text for text in left]
    return lines + ["The next run, or one with state absent, tries again."] if lines else []


def check(run: Run) -> dict:
    """Create all pods, wait until each is done, then try one more of each resource where that is asked for.

    Raises: GpuOpsError that says what failed first, with the result so far.
    """
    objects.prepare(run.connection, run.shape, run.deadline, run.concurrency)
    objects.create(run.connection, run.plan.checks, run.shape, run.deadline, run.concurrency)
    seen = with_logs(run, follow(run, run.plan.checks, run.is_done))
    _complain(run, seen, [])
    if not run.plan.extras:
        return run.result(seen, [], True)
    objects.create(run.connection, run.plan.extras, run.shape, run.deadline, run.concurrency)
    resources = {check.name: check.resource for check in run.plan.extras}

    def refused(pod: dict) -> bool:
        return report.is_refused(pod, resources[pod["check"]])

    def settled(pod: dict) -> bool:
        # An extra pod that runs or is gone will not be refused any more.
        return refused(pod) or pod["phase"] not in ("", "Pending") if pod["check"] in resources else run.is_done(pod)

    everything = follow(run, run.plan.checks + run.plan.extras, settled)
    seen, extras = everything[: len(seen)], everything[len(seen) :]
    _complain(run, seen, extras)
    for pod in extras:
        if not refused(pod):
            text = report.extra_text(pod, resources[pod["check"]], _events(run, pod))
            raise GpuOpsError(text, **run.result(seen, extras, False))
    return run.result(seen, extras, True)


def _complain(run: Run, seen: t.Sequence[dict], extras: t.Sequence[dict]) -> None:
    worst = report.first_failure(seen, run.must_end)
    if worst:
        bad = sum(report.state(pod, run.must_end(pod)) != report.OK for pod in seen)
        text = report.failure_text(worst, bad, len(seen), run.name, _events(run, worst), run.timeout)
        raise GpuOpsError(text, **run.result(seen, extras, False))


def follow(run: Run, checks: t.Sequence[decide.Check], done: t.Callable[[dict], bool]) -> t.List[dict]:
    """Return the last record of each pod, once all are done or time is up."""
    known: t.Set[str] = set()

    def look() -> t.List[dict]:
        live = observe.read_checks(run.connection, run.shape.namespace, run.shape.run)
        # A Job's pod comes a little later than the Job.
        records = [
            live.get(check.name) or (report.gone(check) if check.name in known or run.shape.kind == "pod" else report.planned(check))
            for check in checks
        ]
        known.update(live)
        return records

    left = max(run.deadline - time.monotonic(), objects.POLL)
    return wait_for(look, lambda records: all(map(done, records)), timeout=left, sleep=objects.POLL)[1]


def with_logs(run: Run, seen: t.Sequence[dict]) -> t.List[dict]:
    """Return the records with the end of their logs, judged by them; simulated pods have none."""

    def judged(pod: dict) -> dict:
        if pod["node"] in run.simulated or not pod["node"] or pod["phase"] not in ("Succeeded", "Failed"):
            return pod
        try:
            log = observe.read_log(run.connection, run.shape.namespace, pod["name"])
        except ApiError as error:
            return dict(pod, phase="Failed", reason="NoLog", message=error.message) if pod["phase"] == "Succeeded" else pod
        return report.judge_log(pod, log, run.shape.workload.success)

    with concurrent.futures.ThreadPoolExecutor(max_workers=run.concurrency) as pool:
        return list(pool.map(judged, seen))


def _events(run: Run, pod: dict) -> t.List[str]:
    events = observe.read_events(run.connection, run.shape.namespace, pod["name"])
    return events or (observe.read_events(run.connection, run.shape.namespace, pod["check"]) if pod["check"] != pod["name"] else [])
