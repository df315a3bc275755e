# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""GPU validation: whether a pod proved its GPU, and what a user reads about a run. No I/O."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.validation import Check, Plan

OK, FAILED, WAITING = "ok", "failed", "waiting"
TAIL = 20


def state(pod: dict, must_end: bool) -> str:
    """Return whether a pod has done what is expected of it, cannot do it any more, or is on its way."""
    if pod["phase"] == "Succeeded" or (pod["phase"] == "Running" and not must_end):
        return OK
    return FAILED if pod["phase"] in ("Failed", "Gone") else WAITING


def is_refused(pod: t.Optional[dict], resource: str) -> bool:
    """Tell whether the scheduler itself said that no GPU is left for a pod."""
    return bool(pod) and pod["phase"] == "Pending" and pod["reason"] == "Unschedulable" and "Insufficient " + resource in pod["message"]


def gone(check: Check) -> dict:
    """Return the record of a pod that was there and is not any more."""
    message = "somebody removed it while the test ran, or other work displaced it"
    return {"check": check.name, "name": check.name, "node": check.node, "phase": "Gone", "reason": "Removed", "message": message, "containers": []}


def planned(check: Check) -> dict:
    return {"check": check.name, "name": check.name, "node": check.node, "phase": "", "reason": "", "message": "", "containers": []}


def judge_log(pod: dict, log: str, pattern: str) -> dict:
    """Return a pod's record with the end of its log, failed when it ended well but its log does not say so."""
    judged = dict(pod, log_tail="\n".join(log.splitlines()[-TAIL:]))
    if pod["phase"] == "Succeeded" and pattern and not re.search(pattern, log, re.MULTILINE):
        judged.update(phase="Failed", reason="NoSuccessInLog", message="it ended without an error, but its log does not match %r" % pattern)
    return judged


def pod_result(pod: dict, check: Check, simulated: t.Collection[str]) -> dict:
    kept = {key: pod[key] for key in ("name", "node", "phase", "reason", "message")}
    # A pod that waits for a node is as simulated as the nodes it was refused by.
    pretended = pod["node"] in simulated if pod["node"] else bool(simulated)
    return dict(kept, resource=check.resource, simulated=pretended, log_tail=pod.get("log_tail", ""))


def first_failure(pods: t.Sequence[dict], must_end: t.Callable[[dict], bool]) -> t.Optional[dict]:
    """Return the pod that failed first, or else one that never got done."""
    bad = [pod for pod in pods if state(pod, must_end(pod)) != OK]
    return min(bad, key=lambda pod: (pod["phase"] not in ("Failed", "Gone"), pod.get("finished") or "~", pod["name"])) if bad else None


def failure_text(pod: dict, bad: int, total: int, workload: str, events: t.Sequence[str], waited: float) -> str:
    """Return what failed first, with what its containers and the cluster's events say about it."""
    unfinished = pod["phase"] not in ("Failed", "Gone")
    head = "GPU validation (%s): %d of %d pods failed%s." % (workload, bad, total, " or were not done after %g s" % waited if unfinished else "")
    lines = [head, "First: %s" % _about(pod)]
    lines += ["- container %s" % text for text in pod["containers"]]
    lines += ["- event %s" % text for text in events] or ["- no events"]
    if pod.get("log_tail"):
        lines.append("- log:\n" + pod["log_tail"])
    return "\n".join(lines)


def _about(pod: dict) -> str:
    where = " on node %s" % pod["node"] if pod["node"] else ""
    why = ": ".join(filter(None, (pod["reason"], pod["message"])))
    return "pod %s%s is %s%s" % (pod["name"], where, pod["phase"] or "not there yet", " (%s)" % why if why else "")


def extra_text(pod: dict, resource: str, events: t.Sequence[str]) -> str:
    """Return why the pod that must not find a place was not refused as it should be."""
    head = "GPU validation (saturate): all counted %s were taken, and one pod more should stay Pending for want of it." % resource
    hint = "A GPU became free while the test ran, or a node advertises more than was counted. Fix: run it again when the cluster is quiet."
    if pod["phase"] == "Pending":
        hint = "The scheduler named another reason. Fix: remove that reason first."
    return "\n".join([head, "But %s." % _about(pod), hint] + ["- event %s" % text for text in events])


def few_text(plan: Plan, minimum: int, nodes: int) -> str:
    """Return why fewer nodes can be tested than there have to be.

    :param nodes: how many nodes are selected, with or without GPUs.
    """
    if not plan.skipped and not plan.checks:
        fix = "install the device plugin and GPU feature discovery, select other nodes, or set minimum_nodes to 0 where there may be none"
        return "GPU validation: nothing to test: %s. Fix: %s." % (_nothing(plan, nodes), fix)
    if plan.checks or plan.busy:
        counts = (plan.tested, "s" * (plan.tested != 1), ", others use the GPUs of %d more," % plan.busy if plan.busy else "", minimum)
        head, fix = "%d GPU node%s can be tested%s and minimum_nodes is %d." % counts, "repair the nodes that are skipped, or set another minimum_nodes"
    else:
        head, fix = "nothing to test: %s." % _nothing(plan, nodes), "free a GPU, repair the nodes, or select others"
    return "\n".join(["GPU validation: " + head] + skipped_lines(plan.skipped) + ["Fix: %s." % fix])


def _nothing(plan: Plan, nodes: int) -> str:
    if plan.skipped:
        return "no GPU node has a place for a pod"
    return "none of the %d selected nodes has NVIDIA GPUs, by its labels or its resources" % nodes if nodes else "no node is selected"


def warnings(plan: Plan, minimum: int, nodes: int) -> t.List[str]:
    """Return what a user may miss who only sees that nothing failed."""
    if plan.checks and plan.tested >= minimum:
        return []
    head = "only %d of at least %d nodes can be tested" % (plan.tested, minimum) if plan.checks else "nothing was tested: " + _nothing(plan, nodes)
    reasons = "; ".join(line[2:] for line in skipped_lines(plan.skipped, 5))
    return ["GPU validation: %s%s." % (head, " (%s)" % reasons if reasons else "")]


def skipped_text(skipped: t.Sequence[dict]) -> str:
    return "\n".join(["GPU validation: %d GPU nodes cannot be tested, which fail_on_skipped forbids." % len(skipped)] + skipped_lines(skipped))


def skipped_lines(skipped: t.Sequence[dict], limit: int = 20) -> t.List[str]:
    lines = ["- %(node)s: %(reason)s" % entry for entry in skipped[:limit]]
    return lines + (["- and %d more" % (len(skipped) - limit)] if len(skipped) > limit else [])


def summary(plan: Plan, shown: t.Sequence[dict], workload: str, ok: t.Optional[bool]) -> str:
    """Return the result in one sentence or two."""
    if not plan.checks:
        return "%s: nothing to test%s." % (workload, _skipped(plan) or ": no node with NVIDIA GPUs")
    nodes = len({pod["node"] for pod in shown if pod["node"]})
    where = " on %d node%s" % (nodes, "s" * (nodes != 1)) if nodes else ""
    frame = {None: "%s would run%s", True: "%s passed%s", False: "not all of %s passed%s"}[ok]
    text = "%s: %s" % (workload, frame % (_counted(plan.checks), where))
    if plan.extras:
        text += ", and one pod more %s Pending" % ("stayed" if ok else "has to stay")
    text += _skipped(plan)
    if any(pod["simulated"] for pod in shown):
        text += ". Simulated: nothing ran on a real GPU, only the scheduling is proved"
    return text + "."


def _skipped(plan: Plan) -> str:
    return "; %d GPU node%s skipped" % (len(plan.skipped), "s" * (len(plan.skipped) != 1)) if plan.skipped else ""


def _counted(checks: t.Sequence[Check]) -> str:
    counts: t.Dict[str, int] = {}
    for check in checks:
        counts[check.resource] = counts.get(check.resource, 0) + 1
    return ", ".join("%d pod%s%s" % (counts[name], "s" * (counts[name] != 1), " of %s" % name if name else "") for name in sorted(counts))


def result(plan: Plan, pods: t.Sequence[dict], extras: t.Sequence[dict], workload: str, simulated: t.Collection[str], ok: t.Optional[bool]) -> dict:
    """Return the module's result for what is known so far."""
    checks = {check.name: check for check in plan.checks + plan.extras}
    shown = [pod_result(pod, checks[pod["check"]], simulated) for pod in list(pods) + list(extras)]
    pending = next((pod for pod in extras if pod["phase"] == "Pending"), None)
    return {
        "changed": False,
        "ok": ok,
        "workload": workload,
        "pods": shown,
        "skipped": plan.skipped,
        "pending_reason": pending["reason"] if pending else "",
        "pending_message": pending["message"] if pending else "",
        "simulated": any(pod["simulated"] for pod in shown),
        "summary": summary(plan, shown, workload, ok),
    }


def diff(before: t.Sequence[str], after: t.Sequence[str]) -> dict:
    """Return what Ansible shows with C(--diff): what a validation takes away, or leaves."""
    return {"before": "".join(line + "\n" for line in before), "after": "".join(line + "\n" for line in after)}
