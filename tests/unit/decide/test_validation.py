# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which pods prove which nodes, what is refused, and what counts as proof."""

from __future__ import annotations

import re

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.workloads import NVIDIA_SMI_SUCCESS, WORKLOADS
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import validation_pods as pods
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import validation_report as report
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.validation import (
    Check,
    Plan,
    Want,
    is_enough,
    make_plan,
    option_problems,
    plan_by_node,
    selection_problems,
)
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.taints import tolerates

GPU = "nvidia.com/gpu"
PRESENT = {"nvidia.com/gpu.present": "true"}
NO_SCHEDULE = {"key": GPU, "value": "present", "effect": "NoSchedule"}
EXISTS = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}


def node(name, gpus=8, resource=GPU, **more):
    resources = dict({resource: gpus} if gpus else {}, **more.pop("also", {}))
    record = {"name": name, "ready": True, "schedulable": True, "labels": PRESENT, "capacity": resources, "allocatable": resources}
    return dict(dict(record, taints=[], room=110, simulated=True), **more)


def plan(nodes, held=(), **want):
    return make_plan(nodes, held, Want(**dict({"tolerations": [EXISTS]}, **want)), "run")


def reasons(planned):
    return {entry["node"]: entry["reason"] for entry in planned.skipped}


def test_one_pod_on_each_gpu_node_and_none_on_others():
    planned = plan([node("a"), dict(node("cpu", 0), labels={}), node("b")])
    assert planned == Plan([Check("run-1", GPU, "a"), Check("run-2", GPU, "b")], [], [], [], tested=2)


SKIPPED = {
    "all taken": (node("a"), [("a", {GPU: 8})], {}, "8 of 8 nvidia.com/gpu allocated"),
    "taken by several pods": (node("a"), [("a", {GPU: 3}), ("a", {GPU: 5})], {}, "8 of 8 nvidia.com/gpu allocated"),
    "more asked for than free": (node("a"), [("a", {GPU: 7})], {"count": 2}, "only 1 of 8 nvidia.com/gpu free, 2 asked for"),
    "lost GPUs that pods still hold": (node("a", 2), [("a", {GPU: 3})], {}, "3 of 2 nvidia.com/gpu allocated"),
    "nothing advertised": (node("a", 0), [], {}, "advertises no NVIDIA GPUs: does the device plugin run there?"),
    "another resource advertised": (node("a"), [], {"resource": GPU + ".shared"}, "advertises no nvidia.com/gpu.shared: does the device plugin run there?"),
    "not ready": (dict(node("a"), ready=False), [], {}, "not ready"),
    "cordoned": (dict(node("a"), schedulable=False), [], {}, "cordoned"),
    "tainted": (dict(node("a"), taints=[{"key": "team", "value": "x", "effect": "NoSchedule"}]), [], {}, "taint team=x:NoSchedule is not tolerated"),
    "no room": (dict(node("a"), room=1), [("a", {})], {}, "has no room for another pod: 1 of 1 run"),
}


@pytest.mark.parametrize("found, held, want, reason", SKIPPED.values(), ids=SKIPPED)
@pytest.mark.parametrize("saturate", [False, True])
def test_a_gpu_node_that_cannot_be_tested_is_skipped_with_the_reason(found, held, want, reason, saturate):
    other = node("z", also={GPU + ".shared": 8})
    planned = plan([found, other], held, saturate=saturate, **want)
    assert reasons(planned) == {"a": reason} and not planned.problems
    assert {check.node for check in planned.checks} == ({""} if saturate else {"z"})


FULL = [("a", {GPU: 8})]
BUSY = {
    "others use all of its GPUs": (node("a"), FULL, {}, True),
    "others use nearly all": (node("a"), [("a", {GPU: 7})], {"count": 2}, True),
    "others take up all of its room": (dict(node("a"), room=1), [("a", {})], {}, True),
    "it has fewer GPUs than asked for": (node("a", 1), [], {"count": 2}, False),
    "it takes no pods": (dict(node("a"), room=0), [], {}, False),
    "it is not ready": (dict(node("a"), ready=False), FULL, {}, False),
    "it is cordoned": (dict(node("a"), schedulable=False), FULL, {}, False),
    "it advertises nothing": (node("a", 0), [], {}, False),
    "it is tested": (node("a"), [("a", {GPU: 7})], {}, False),
}


@pytest.mark.parametrize("found, held, want, busy", BUSY.values(), ids=BUSY)
@pytest.mark.parametrize("saturate", [False, True])
def test_a_node_is_busy_when_only_the_pods_of_others_stand_in_the_way(found, held, want, busy, saturate):
    planned = plan([found], held, saturate=saturate, **want)
    assert planned.busy == int(busy) and planned.tested == int(not planned.skipped)


def test_saturate_counts_nodes_not_pods():
    assert plan([node("a"), node("b"), dict(node("c"), ready=False)], saturate=True).tested == 2


ENOUGH = [(0, 0, 0, True), (0, 0, 1, False), (1, 0, 1, True), (0, 1, 1, True), (2, 1, 3, True), (2, 1, 4, False)]


@pytest.mark.parametrize("tested, busy, minimum, enough", ENOUGH)
def test_busy_nodes_count_for_others_got_their_gpus(tested, busy, minimum, enough):
    assert is_enough(Plan([], [], [], [], tested, busy), minimum) is enough


def test_a_tolerated_taint_and_a_mere_preference_do_not_matter():
    preference = {"key": "busy", "effect": "PreferNoSchedule"}
    assert len(plan([node("a", taints=[NO_SCHEDULE, preference])]).checks) == 1


TOLERATIONS = [
    (EXISTS, NO_SCHEDULE, True),
    ({"operator": "Exists"}, NO_SCHEDULE, True),
    ({"key": GPU, "operator": "Exists"}, NO_SCHEDULE, True),
    ({"key": GPU, "operator": "Equal", "value": "present"}, NO_SCHEDULE, True),
    ({"key": GPU, "value": "present", "effect": "NoSchedule"}, NO_SCHEDULE, True),
    ({"key": GPU, "operator": "Equal", "value": "true"}, NO_SCHEDULE, False),
    ({"key": GPU, "operator": "Equal", "value": ""}, {"key": GPU, "effect": "NoSchedule"}, True),
    ({"key": GPU, "operator": "Exists", "effect": "NoExecute"}, NO_SCHEDULE, False),
    ({"key": "other", "operator": "Exists"}, NO_SCHEDULE, False),
]


@pytest.mark.parametrize("toleration, taint, fits", TOLERATIONS)
def test_tolerations_follow_the_schedulers_rules(toleration, taint, fits):
    assert tolerates(toleration, taint) is fits


def test_auto_takes_what_each_node_advertises():
    nodes = [node("a"), node("b", resource=GPU + ".shared"), node("c", 0, also={"nvidia.com/mig-1g.5gb": 7}), node("d", 0, also={"nvidia.com/hostdev": 4})]
    planned = plan(nodes)
    assert {check.node: check.resource for check in planned.checks} == {"a": GPU, "b": GPU + ".shared", "c": "nvidia.com/mig-1g.5gb"}
    assert list(reasons(planned)) == ["d"]


def test_auto_takes_a_mig_device_where_the_whole_gpus_are_taken():
    planned = plan([node("a", 1, also={"nvidia.com/mig-1g.5gb": 7})], [("a", {GPU: 1})])
    assert [check.resource for check in planned.checks] == ["nvidia.com/mig-1g.5gb"]


def test_saturate_fills_what_is_free_and_asks_for_one_more():
    planned = plan([node("a"), node("b")], [("b", {GPU: 3})], saturate=True)
    assert len(planned.checks) == 13 and {check.node for check in planned.checks} == {""}
    assert planned.extras == [Check("run-extra-1", GPU)]
    assert len({check.name for check in planned.checks + planned.extras}) == 14


def test_saturate_with_larger_requests_leaves_less_than_one_request_a_node():
    assert len(plan([node("a", 5), node("b", 3)], saturate=True, count=2).checks) == 3


def test_saturate_asks_for_one_more_of_each_resource():
    planned = plan([node("a", 1, also={"nvidia.com/mig-1g.5gb": 2}), node("b", 1)], saturate=True)
    assert sorted(check.resource for check in planned.checks) == [GPU, GPU, "nvidia.com/mig-1g.5gb", "nvidia.com/mig-1g.5gb"]
    assert [check.resource for check in planned.extras] == [GPU, "nvidia.com/mig-1g.5gb"]


def test_more_shares_than_a_node_takes_pods_are_refused():
    problem = plan([node("a", 384)], [("a", {})] * 10, saturate=True).problems[0]
    assert problem.path == "saturate" and "node a has 384 free GPUs but takes only 100 more pods (110 at most)" in problem.rule


def test_a_resource_that_nobody_advertises_is_refused_with_what_there_is():
    problem = plan([node("a"), node("b")], resource="nvidia.com/gpus").problems[0]
    assert problem.path == "resource" and "none of the 2 selected nodes advertises it" in problem.rule and "use nvidia.com/gpu, or auto" == problem.fix


def test_a_resource_is_no_misspelling_where_nothing_is_advertised():
    planned = plan([node("a", 0), dict(node("cpu", 0), labels={})], resource=GPU)
    assert planned.problems == [] and reasons(planned) == {"a": "advertises no nvidia.com/gpu: does the device plugin run there?"}


def test_a_selector_without_a_match_is_refused():
    assert selection_problems([], "pool=none", 1)[0].path == "node_selector"
    assert selection_problems([], "", 1) == [] == selection_problems([node("a")], "pool=t4", 1)


def test_a_selector_may_match_nothing_where_there_may_be_no_node():
    assert selection_problems([], "nvidia.com/gpu.present=true", 0) == []


def test_nvidia_smi_asks_every_gpu_node_that_is_up_however_busy():
    planned = plan_by_node([node("a"), dict(node("b"), ready=False), dict(node("cpu", 0), labels={}), dict(node("c"), schedulable=False)])
    assert [check.node for check in planned.checks] == ["a", "c"] and reasons(planned) == {"b": "not ready"}
    assert (planned.tested, planned.busy) == (2, 0)


OPTIONS = {
    "namespace": "gpuops-validation",
    "resource": "auto",
    "requests_per_pod": 1,
    "minimum_nodes": 1,
    "timeout": 300.0,
    "concurrency": 16,
    "tolerations": [EXISTS],
    "workload": "scheduling",
    "image": "",
    "command": [],
    "args": [],
    "capabilities": [],
    "success_pattern": "",
    "kind": "pod",
    "saturate": False,
    "keep": False,
    "runtime_class": "",
}
OWN = {"workload": "custom", "image": "registry.example.com/test:1"}
BAD = {
    "an own workload without an image": ({"workload": "custom"}, "image"),
    "a pattern that is no regular expression": (dict(OWN, success_pattern="(PASSED"), "success_pattern"),
    "a command of a workload that has its own": ({"workload": "vectoradd", "command": ["sh"]}, "command"),
    "a pattern of a workload that has its own": ({"success_pattern": "x"}, "success_pattern"),
    "a capability with its prefix": (dict(OWN, capabilities=["CAP_SYS_ADMIN"]), "capabilities[0]"),
    "a capability in small letters": (dict(OWN, capabilities=["SYS_TIME", "sys_admin"]), "capabilities[1]"),
    "a foreign resource": ({"resource": "amd.com/gpu"}, "resource"),
    "a malformed resource": ({"resource": "nvidia.com/GPU"}, "resource"),
    "a malformed namespace": ({"namespace": "GPU tests"}, "namespace"),
    "fewer nodes than none": ({"minimum_nodes": -1}, "minimum_nodes"),
    "no request": ({"requests_per_pod": 0}, "requests_per_pod"),
    "no time": ({"timeout": 0}, "timeout"),
    "a toleration of everything without Exists": ({"tolerations": [EXISTS, {"key": "", "operator": "Equal"}]}, "tolerations[1].key"),
    "pods that end while GPUs are to be filled": ({"workload": "nbody", "saturate": True}, "saturate"),
    "an own pod that ends while GPUs are to be filled": (dict(OWN, success_pattern="done", saturate=True), "saturate"),
    "an own job while GPUs are to be filled": (dict(OWN, kind="job", saturate=True), "saturate"),
    "nvidia-smi with requests": ({"workload": "nvidia_smi", "requests_per_pod": 2}, "requests_per_pod"),
    "nvidia-smi with an image": ({"workload": "nvidia_smi", "image": "x"}, "image"),
    "nvidia-smi that keeps its pods": ({"workload": "nvidia_smi", "keep": True}, "keep"),
    "nvidia-smi to fill GPUs": ({"workload": "nvidia_smi", "saturate": True}, "saturate"),
}


@pytest.mark.parametrize("options, path", BAD.values(), ids=BAD)
def test_a_bad_option_is_named(options, path):
    found = option_problems(dict(OPTIONS, **options))
    assert [problem.path for problem in found] == [path] and found[0].rule and found[0].fix


GOOD = [
    {},
    {"minimum_nodes": 0},
    {"resource": "gpu"},
    {"resource": "mig-1g.5gb"},
    {"workload": "vectoradd", "image": "mirror.example.com/vectoradd:1"},
    {"saturate": True},
    dict(OWN, saturate=True),
    dict(OWN, kind="job", success_pattern="PASSED$"),
    {"workload": "nvidia_smi"},
    {"tolerations": [{"operator": "Exists"}]},
]


@pytest.mark.parametrize("options", GOOD)
def test_good_options_are_accepted(options):
    assert option_problems(dict(OPTIONS, **options)) == []


def shape(workload="scheduling", **more):
    return pods.Shape(**dict({"run": "run", "namespace": "test", "workload": WORKLOADS[workload]}, **more))


def test_a_pod_is_bound_to_its_node_through_the_scheduler():
    spec = pods.manifest(Check("run-1", GPU, "a"), shape())["spec"]
    terms = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}]
    assert "nodeName" not in spec


def test_a_pod_asks_by_limits_ends_by_itself_and_can_be_found_again():
    made = pods.manifest(Check("run-1", GPU, "a"), shape(count=2, runtime_class="nvidia", deadline=99))
    assert made["spec"]["containers"][0]["resources"] == {"limits": {GPU: "2"}}
    assert made["spec"]["activeDeadlineSeconds"] == 99 and made["spec"]["restartPolicy"] == "Never" and made["spec"]["runtimeClassName"] == "nvidia"
    assert made["metadata"]["labels"][pods.RUN] == "run" and pods.is_ours(made["metadata"]["labels"])


def test_a_pod_without_a_node_keeps_to_the_selected_nodes():
    spec = pods.manifest(Check("run-1", GPU), shape(node_selector="pool=t4", priority_class="low"))["spec"]
    terms = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [{"matchExpressions": [{"key": "pool", "operator": "In", "values": ["t4"]}]}] and spec["priorityClassName"] == "low"
    assert "affinity" not in pods.manifest(Check("run-1", GPU), shape())["spec"]


def test_a_job_carries_the_labels_to_its_pods_and_does_not_try_again():
    made = pods.manifest(Check("run-1", GPU, "a"), shape("vectoradd", kind="job"))
    assert made["kind"] == "Job" and made["spec"]["backoffLimit"] == 0
    assert made["spec"]["template"]["metadata"]["labels"] == made["metadata"]["labels"]


def test_the_namespace_gets_the_strictest_level_that_the_workload_stands():
    levels = {name: pods.security_level(workload) for name, workload in WORKLOADS.items()}
    assert levels.pop("scheduling") == "restricted" and levels.pop("dcgmproftester") == "privileged" and set(levels.values()) == {"baseline"}


def test_two_namespaces_have_two_priority_classes():
    assert pods.priority_class_name("gpuops-validation") == "gpuops-validation" != pods.priority_class_name("other")
    manifest = pods.priority_class_manifest("x")
    assert manifest["value"] < -10 and manifest["preemptionPolicy"] == "Never"


FOREIGN = {
    "a namespace that is too strict": (({pods.ENFORCE: "restricted"}, None, None), "namespace"),
    "somebody's priority class": ((None, {}, None), "saturate"),
    "an unknown runtime class": ((None, None, ["nvidia-cdi"]), "runtime_class"),
}


@pytest.mark.parametrize("found, path", FOREIGN.values(), ids=FOREIGN)
def test_what_others_made_is_respected(found, path):
    problems = pods.cluster_problems(shape("vectoradd", runtime_class="nvidia"), *found)
    assert [problem.path for problem in problems] == [path]


def test_what_fits_is_no_problem():
    assert pods.cluster_problems(shape("vectoradd"), {pods.ENFORCE: "baseline"}, None, None) == []
    assert pods.cluster_problems(shape("vectoradd"), dict(pods.OURS, **{pods.ENFORCE: "restricted"}), dict(pods.OURS), None) == []


def pod(phase="Running", name="p", **more):
    base = {"check": name, "name": name, "node": "a", "phase": phase, "reason": "", "message": "", "containers": [], "finished": ""}
    return dict(base, **more)


STATES = [("Running", False, "ok"), ("Running", True, "waiting"), ("Succeeded", True, "ok"), ("Pending", False, "waiting"), ("", False, "waiting")]
STATES += [("Failed", False, "failed"), ("Gone", True, "failed"), ("Unknown", False, "waiting")]


@pytest.mark.parametrize("phase, must_end, expected", STATES)
def test_a_pod_is_proof_when_it_runs_or_where_it_must_when_it_ended(phase, must_end, expected):
    assert report.state(pod(phase), must_end) == expected


def test_only_the_schedulers_own_word_for_lack_of_gpus_counts():
    refused = pod("Pending", reason="Unschedulable", message="0/2 nodes are available: 2 Insufficient nvidia.com/gpu.")
    assert report.is_refused(refused, GPU)
    assert not report.is_refused(dict(refused, message="0/2 nodes are available: 2 Too many pods."), GPU)
    assert not report.is_refused(dict(refused, phase="Running"), GPU) and not report.is_refused(None, GPU)


LOGS = {
    "vectoradd": "[Vector addition of 50000 elements]\nTest PASSED\nDone\n",
    "nbody": "> Compute 7.5 CUDA device: [Tesla T4]\n512000 bodies, total time for 10 iterations: 26.6 ms\n= 98.4 billion interactions per second\n"
    "= 1969.1 single-precision GFLOP/s at 20 flops per interaction\n",
    "dcgmproftester": "/usr/bin/dcgmproftester12\nWorker 0:0 [1004]: TensorEngineActive: generated ???, dcgm 0 (1.78e+05 gflops).\n",
    "tensorflow": "16/16 - 3s - loss: 2.35\nTensorFlow trained on /physical_device:GPU:0\n",
}
UNWELL = "[Vector addition of 50000 elements]\nFailed to allocate device vector A (error code no CUDA-capable device is detected)!\n"


@pytest.mark.parametrize("workload", [name for name in WORKLOADS if name != "scheduling"])
def test_a_log_proves_a_workload_only_with_its_own_words_of_success(workload):
    pattern = WORKLOADS[workload].success
    assert report.judge_log(pod("Succeeded"), LOGS[workload], pattern)["phase"] == "Succeeded"
    judged = report.judge_log(pod("Succeeded"), UNWELL, pattern)
    assert (judged["phase"], judged["reason"]) == ("Failed", "NoSuccessInLog") and "no CUDA-capable device" in judged["log_tail"]


def test_nvidia_smi_proves_a_node_by_a_gpu_with_its_uuid():
    listed = "GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)\n"
    assert re.search(NVIDIA_SMI_SUCCESS, listed, re.MULTILINE) and not re.search(NVIDIA_SMI_SUCCESS, "No devices were found\n")


def test_the_pod_that_failed_first_is_named_with_events_and_containers():
    late = pod("Failed", "late", finished="2026-01-01T00:00:09Z")
    first = pod("Failed", "first", finished="2026-01-01T00:00:01Z", reason="Error", message="x", containers=["check: terminated with exit code 1 (Error)"])
    waiting = pod("Pending", "waiting")
    assert report.first_failure([waiting, late, pod(), first], lambda each: False) is first
    text = report.failure_text(first, 3, 4, "vectoradd", ["Warning Failed: no"], 300)
    assert "3 of 4 pods failed." in text and "pod first on node a is Failed (Error: x)" in text
    assert "exit code 1" in text and "- event Warning Failed: no" in text
    assert "were not done after 300 s" in report.failure_text(waiting, 1, 1, "vectoradd", [], 300)


def test_the_result_says_what_was_simulated():
    planned = Plan([Check("a", GPU, "n"), Check("b", GPU, "n")], [Check("x", GPU)], [{"node": "z", "reason": "cordoned"}], [])
    extra = pod("Pending", "x", node="", reason="Unschedulable", message="0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")
    found = report.result(planned, [pod(name="a"), pod(name="b")], [extra], "scheduling", {"a"}, True)
    assert found["ok"] and found["simulated"] and not found["changed"] and found["pending_reason"] == "Unschedulable"
    assert found["summary"] == (
        "scheduling: 2 pods of nvidia.com/gpu passed on 1 node, and one pod more stayed Pending; 1 GPU node skipped. "
        "Simulated: nothing ran on a real GPU, only the scheduling is proved."
    )
    real = report.result(planned, [pod(name="a"), pod(name="b")], [extra], "scheduling", set(), False)
    assert not real["simulated"] and real["summary"].startswith("scheduling: not all of 2 pods") and "Simulated" not in real["summary"]


def skipped(*entries):
    return [{"node": name, "reason": reason} for name, reason in entries]


def test_nothing_to_test_says_why():
    text = report.few_text(Plan([], [], [], []), 1, 3)
    assert "none of the 3 selected nodes has NVIDIA GPUs" in text and "or set minimum_nodes to 0 where there may be none" in text
    assert "nothing to test: no node is selected" in report.few_text(Plan([], [], [], []), 1, 0)
    many = report.few_text(Plan([], [], skipped(*(("n%d" % number, "cordoned") for number in range(30))), []), 1, 30)
    assert "nothing to test: no GPU node has a place for a pod" in many and "- n0: cordoned" in many and "- and 10 more" in many


def test_too_few_to_test_says_how_many_and_why():
    some = Plan([Check("a", GPU, "n")], [], skipped(("b", "8 of 8 nvidia.com/gpu allocated"), ("c", "not ready")), [], tested=1, busy=1)
    text = report.few_text(some, 3, 9)
    assert "1 GPU node can be tested, others use the GPUs of 1 more, and minimum_nodes is 3" in text and "- c: not ready" in text and "Fix: " in text


WARNINGS = {
    "all is tested": (Plan([Check("a", GPU, "n")], [], [], [], tested=1), 1, []),
    "nobody asked for a node": (Plan([Check("a", GPU, "n")], [], skipped(("c", "not ready")), [], tested=1), 0, []),
    "all is busy": (
        Plan([], [], skipped(("b", "8 of 8 nvidia.com/gpu allocated")), [], busy=1),
        1,
        ["GPU validation: nothing was tested: no GPU node has a place for a pod (b: 8 of 8 nvidia.com/gpu allocated)."],
    ),
    "there is no GPU node": (
        Plan([], [], [], []),
        0,
        ["GPU validation: nothing was tested: none of the 9 selected nodes has NVIDIA GPUs, by its labels or its resources."],
    ),
    "some are busy": (
        Plan([Check("a", GPU, "n")], [], skipped(("b", "8 of 8 nvidia.com/gpu allocated"), ("c", "not ready")), [], tested=1, busy=1),
        2,
        ["GPU validation: only 1 of at least 2 nodes can be tested (b: 8 of 8 nvidia.com/gpu allocated; c: not ready)."],
    ),
    "many are busy": (
        Plan([], [], skipped(*((name, "x") for name in "abcdefg")), [], busy=7),
        1,
        ["GPU validation: nothing was tested: no GPU node has a place for a pod (a: x; b: x; c: x; d: x; e: x; and 2 more)."],
    ),
}


@pytest.mark.parametrize("planned, minimum, expected", WARNINGS.values(), ids=WARNINGS)
def test_what_is_not_tested_is_warned_of_in_one_line(planned, minimum, expected):
    assert report.warnings(planned, minimum, 9) == expected


NOTHING = [([], "scheduling: nothing to test: no node with NVIDIA GPUs."), (skipped(("b", "x")), "scheduling: nothing to test; 1 GPU node skipped.")]


@pytest.mark.parametrize("left, summary", NOTHING)
def test_a_result_without_a_test_is_neither_good_nor_bad(left, summary):
    found = report.result(Plan([], [], left, []), [], [], "scheduling", {"b"}, None)
    assert found["ok"] is None and not found["changed"] and found["pods"] == [] and found["skipped"] == left and found["summary"] == summary
