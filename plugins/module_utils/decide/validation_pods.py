# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""GPU validation: the objects that are created, and the level of Pod Security that they need. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.workloads import Workload
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import selectors
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.validation import Check

NAME = "gpuops-validation"
OURS = {"app.kubernetes.io/managed-by": "gpuops", "app.kubernetes.io/name": NAME}
SELECTOR = ",".join("%s=%s" % pair for pair in sorted(OURS.items()))
RUN = "gpuops.kubernetes/validation-run"
CHECK = "gpuops.kubernetes/validation-check"
ENFORCE = "pod-security.kubernetes.io/enforce"
LEVELS = ("privileged", "baseline", "restricted")
# Far below the -10 under which the cluster autoscaler ignores a pending pod: a test must not buy a node.
PRIORITY = -1000000
# Pod Security Standards, baseline: capabilities that may be added.
_BASELINE = frozenset(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split()
)


class Shape(t.NamedTuple):
    """What all pods of a run have in common."""

    run: str
    namespace: str
    workload: Workload
    custom: bool = False
    kind: str = "pod"
    count: int = 1
    tolerations: t.Sequence[dict] = ()
    runtime_class: str = ""
    node_selector: str = ""
    priority_class: str = ""
    deadline: int = 600


def security_level(workload: Workload) -> str:
    """Return the strictest level of Pod Security that admits a workload."""
    if set(workload.capabilities) - _BASELINE:
        return "privileged"
    return "restricted" if workload.unprivileged else "baseline"


def priority_class_name(namespace: str) -> str:
    """Return a name of its own for each namespace: runs in two of them must not take away each other's class."""
    return NAME if namespace == NAME else "%s-%s" % (NAME, namespace)


def cluster_problems(shape: Shape, home: t.Optional[dict], priority: t.Optional[dict], runtimes: t.Optional[t.Sequence[str]]) -> t.List[Problem]:
    """Return what in the cluster is in the way.

    :param home: labels of the namespace, None where it does not exist; likewise for the priority class.
    :param runtimes: names of the runtime classes, None where they do not matter.
    """
    found = []
    needed = security_level(shape.workload)
    enforced = (home or {}).get(ENFORCE, LEVELS[0])
    if home is not None and not is_ours(home) and enforced in LEVELS and LEVELS.index(enforced) > LEVELS.index(needed):
        rule = "enforces the Pod Security level %s, under which this workload is refused: it needs %s" % (enforced, needed)
        found.append(Problem("namespace", shape.namespace, rule, "name a namespace that does not exist yet, or label it %s=%s" % (ENFORCE, needed)))
    if priority is not None and not is_ours(priority):
        rule = "PriorityClass %s exists and was not made by this module" % shape.priority_class
        found.append(Problem("saturate", True, rule, "rename that class, or name another namespace"))
    if runtimes is not None and shape.runtime_class not in runtimes:
        known = ", ".join(sorted(runtimes)) or "none"
        found.append(Problem("runtime_class", shape.runtime_class, "there is no such RuntimeClass in the cluster (it has: %s)" % known, "name one of these"))
    return found


def is_ours(labels: t.Optional[dict]) -> bool:
    return bool(labels) and all((labels or {}).get(key) == value for key, value in OURS.items())


def namespace_manifest(name: str, level: str) -> dict:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(OURS, **{ENFORCE: level})}}


def priority_class_manifest(name: str) -> dict:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name, "labels": OURS},
        "value": PRIORITY,
        "preemptionPolicy": "Never",
        "description": "Pods that test GPUs: they displace nobody, and anybody may displace them.",
    }


def manifest(check: Check, shape: Shape) -> dict:
    """Return the Pod, or the Job, of one check."""
    labels = dict(OURS, **{RUN: shape.run, CHECK: check.name})
    metadata = {"name": check.name, "namespace": shape.namespace, "labels": labels}
    if shape.kind == "pod":
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(check, shape)}
    template = {"metadata": {"labels": labels}, "spec": pod_spec(check, shape)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"backoffLimit": 0, "template": template}}


def pod_spec(check: Check, shape: Shape) -> dict:
    spec: t.Dict[str, t.Any] = {
        "restartPolicy": "Never",
        # Not 0: that would take the pod off the API before its node has freed the GPU.
        "terminationGracePeriodSeconds": 1,
        "activeDeadlineSeconds": shape.deadline,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "tolerations": [{key: value for key, value in toleration.items() if value not in (None, "")} for toleration in shape.tolerations],
        "containers": [_container(check, shape)],
    }
    if shape.workload.unprivileged:
        spec["securityContext"].update(runAsNonRoot=True, runAsUser=65535)
    if shape.runtime_class:
        spec["runtimeClassName"] = shape.runtime_class
    if shape.priority_class:
        spec["priorityClassName"] = shape.priority_class
    term = _term(check, shape)
    if term:
        # Never spec.nodeName: that would go past the scheduler, which is what is tested.
        spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    return spec


def _container(check: Check, shape: Shape) -> dict:
    workload = shape.workload
    container: t.Dict[str, t.Any] = {"name": "check", "image": workload.image, "resources": {"limits": {check.resource: str(shape.count)}}}
    if workload.command:
        container["command"] = list(workload.command)
    if workload.args:
        container["args"] = list(workload.args)
    if workload.capabilities:
        container["securityContext"] = {"capabilities": {"add": list(workload.capabilities)}}
    elif not shape.custom:
        # An unknown image may need what container runtimes give by default; those of the catalog do not.
        container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return container


def _term(check: Check, shape: Shape) -> dict:
    if check.node:
        return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [check.node]}]}
    expressions = selectors.expressions(shape.node_selector)
    return {"matchExpressions": expressions} if expressions else {}
