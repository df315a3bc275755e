# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands on the page: everything escaped, nothing loaded from anywhere, the same facts as in the tables."""

from __future__ import annotations

import html.parser
import re

import pytest

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.report import model, page

GPU = "nvidia.com/gpu"
EVIL = "<script>alert(\"1\")</script>"
VOID = {"meta"}


class Reader(html.parser.HTMLParser):
    """Keeps elements, attributes and what can be read, and finds what is not closed."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.words, self.open, self.wrong = set(), [], [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def node(name, **more):
    base = {"name": name, "ready": True, "product": "NVIDIA-A100-SXM4-80GB", "gpus": 8, "replicas": 1, "strategy": "", "config": ""}
    return dict(dict(base, allocatable={GPU: 8}, allocated={GPU: 2}, free={GPU: 6}), **more)


def pod(name, place="", namespace="ml", **more):
    base = {"namespace": namespace, "name": name, "node": place, "phase": "Running" if place else "Pending", "resources": {GPU: 1}}
    return dict(dict(base, reason="", message=""), **more)


def build(nodes=(), pods=(), **more):
    base = {"cluster": {"name": "lab"}, "sharing": {}, "validation": {}, "marks": [], "rehearsal": {}, "now": 100.0}
    return page.page(model.build(gpus={"nodes": list(nodes), "pods": list(pods)}, **dict(base, **more)), "2026-01-01 00:00:00 UTC", "abc123")


def text(*given, **more):
    return Reader(build(*given, **more)).text


def everything(word):
    """Return a page on which a word stands wherever a name or a text of somebody else can stand."""
    tested = {"ok": False, "summary": word, "pending_message": word, "skipped": [{"node": word, "reason": word}]}
    tested["pods"] = [{"phase": "Failed", "name": word, "node": word, "reason": word, "message": word}]
    return build(
        [node(word, product=word, config=word, strategy=word, allocatable={word: 1}, simulated=True)],
        [pod(word, word, word), pod(word, "", word, reason=word, message=word, resources={word: 1})],
        cluster={"name": word, "kubernetes": word, "server": word, "context": word},
        sharing={"nodes": [{"name": word, "reason": word}]},
        validation=tested,
        marks=[{"step": word, "at": 0.0}],
        rehearsal={"summary": word, "real": [word], "double": [word], "unproved": [word]},
    )


FIELDS = {
    "a node's name": build([node(EVIL)]),
    "a product": build([node("a", product=EVIL)]),
    "a configuration": build([node("a", config=EVIL)]),
    "a resource": build([node("a", allocatable={EVIL: 1})]),
    "a node's problem": build([node("a")], sharing={"nodes": [{"name": "a", "reason": EVIL}]}),
    "the namespace of a running pod": build([], [pod("p", "a", EVIL)]),
    "the node of a running pod": build([], [pod("p", EVIL)]),
    "the namespace of a pending pod": build([], [pod("p", "", EVIL)]),
    "a message": build([], [pod("p", message=EVIL)]),
    "a title": build(cluster={"name": EVIL}),
    "a step": build(marks=[{"step": EVIL, "at": 0.0}]),
    "a validation": build(validation={"ok": False, "pods": [{"phase": "Failed", "message": EVIL}]}),
    "a rehearsal": build(rehearsal={"real": [EVIL]}),
}


@pytest.mark.parametrize("found", FIELDS.values(), ids=FIELDS)
def test_what_others_wrote_is_shown_and_never_run(found):
    assert "<script" not in found and EVIL in Reader(found).text


@pytest.mark.parametrize("word", [EVIL, "\"><img src=x onerror=y>", "a & b", "&lt;b&gt;", "'\""])
def test_no_text_changes_how_the_page_is_built(word):
    evil, plain = Reader(everything(word)), Reader(everything("zebra"))
    assert (evil.tags, evil.attributes) == (plain.tags, plain.attributes)
    assert evil.text.count(word) == plain.text.count("zebra") >= 25


def test_attributes_are_escaped_too():
    assert page.tag("i", title="\"><b>") == "<i title=\"&quot;&gt;&lt;b&gt;\"></i>"


def test_the_page_loads_nothing():
    found = everything("zebra")
    reader = Reader(found)
    assert reader.tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "base", "a"})
    assert {name for name, _value in reader.attributes} <= {"charset", "name", "content", "class", "style", "scope", "lang", "aria-hidden"}
    assert not re.search(r"url\(|@import|//", found)


def test_the_address_of_the_cluster_is_text_only():
    found = build(cluster={"name": "lab", "server": "https://192.0.2.1:6443"})
    assert "https://192.0.2.1:6443" in Reader(found).text and not re.search(r"(?:src|href)\s*=", found)


@pytest.mark.parametrize("found", [build(), everything("zebra")], ids=["an empty page", "a full page"])
def test_every_element_is_closed(found):
    reader = Reader(found)
    assert (reader.open, reader.wrong) == ([], [])
    assert found.startswith("<!DOCTYPE html>\n<html lang=\"en\">")


def test_an_empty_report_has_its_tables_and_no_empty_parts():
    found = text()
    assert "GPU report: lab" in found and "By model" in found and "By node" in found
    assert [title for title in ("Pending,", "Who runs where", "Validation", "How long", "rehearsal") if title in found] == []


def test_the_head_says_which_cluster_and_when():
    cluster = {"name": "lab", "kubernetes": "Kubernetes v1.33.1", "server": "", "context": "admin"}
    assert "Kubernetes v1.33.1 \u00b7 admin \u00b7 2026-01-01 00:00:00 UTC" in text(cluster=cluster)


def test_the_page_carries_its_digest():
    assert "<meta name=\"gpuops-digest\" content=\"abc123\">" in build()


def test_tiles_count_gpus_apart_from_shares():
    found = text([node("a", allocatable={GPU: 32}, allocated={GPU: 5}, free={GPU: 27})], [pod("p"), pod("q")])
    assert "1 GPU nodes 8 physical GPUs 32 shares advertised 5 in use 27 free 2 pods pending" in found


def test_an_unknown_number_of_gpus_is_a_question_mark():
    assert "unknown whole ? 0 0 ready" in text([node("a", gpus=None, product="", allocatable=None, allocated=None, free=None)])


def test_all_nodes_stand_there_with_their_states():
    found = text([node("gpu-%d" % number, ready=number != 33) for number in range(40)])
    assert [number for number in range(40) if "gpu-%d A100-SXM4-80GB" % number not in found] == []
    assert found.count("the node is not Ready") == 1 and found.count(" ready ") == 39
    assert found.index("gpu-2 ") < found.index("gpu-10 ") < found.index("the node is not Ready") < found.index("gpu-34 ")


def test_the_first_cell_of_a_row_is_its_head():
    assert "<tr><th scope=\"row\">gpu-1</th><td>A100-SXM4-80GB</td>" in build([node("gpu-1")])


def test_a_problem_is_marked_as_bad():
    assert "<span class=\"bad\">the node is not Ready</span>" in build([node("a", ready=False)])


def test_resources_that_a_node_lost_are_not_shown():
    found = text([node("a", allocatable={GPU: 0, GPU + ".shared": 32})])
    assert "32\u00a0 gpu.shared".replace("\u00a0", "") in found and "0 gpu " not in found


def test_a_pending_pod_has_all_of_the_schedulers_words():
    words = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available: 3 No victims."
    found = text([], [pod("train-0", reason="Unschedulable", message=words)])
    assert "ml/train-0 wants 1 nvidia.com/gpu Unschedulable: " + words in found


def test_running_pods_stand_by_namespace_and_node():
    assert "ml 2 3 gpu-2 \u00d7 2 gpu-10 \u00d7 1" in text([], [pod("p", "gpu-10"), pod("q", "gpu-2", resources={GPU: 2})])


@pytest.mark.parametrize(
    ("ok", "shown"),
    [(True, "Validation Passed. 2 pods."), (False, "Validation Failed. 2 pods."), (None, "Validation Not run. 2 pods.")],
)
def test_a_validation_passed_or_failed_or_was_not_run(ok, shown):
    assert shown in text(validation={"ok": ok, "summary": "2 pods.", "pods": []})


def test_a_validation_says_what_failed_what_was_skipped_and_what_stayed_pending():
    pods = [{"phase": "Failed", "name": "check-1", "node": "a", "reason": "Error", "message": "exit code 1"}]
    pods.append({"phase": "Gone", "name": "check-2", "node": "", "reason": "Removed", "message": "somebody removed it"})
    skipped = [{"node": "b", "reason": "cordoned"}]
    found = text(validation={"ok": False, "summary": "x", "pods": pods, "skipped": skipped, "pending_message": "3 Insufficient nvidia.com/gpu."})
    assert "check-1 on a: Error exit code 1 check-2 : Removed somebody removed it" in found and "Not tested: b , cordoned" in found
    assert "One pod too many stays Pending: 3 Insufficient nvidia.com/gpu." in found


def test_steps_stand_with_their_times_and_the_whole():
    found = build(marks=[{"step": "device plugin", "at": 0.0}, {"step": "validation", "at": 20.0}])
    assert "device plugin 20 s validation 1 min 20 s All 1 min 40 s" in Reader(found).text
    assert "width:25.0%" in found and "width:100.0%" in found


@pytest.mark.parametrize(
    ("used", "shares", "width"),
    [(2, 8, "25.0"), (0, 8, "0.0"), (0, 0, "0.0"), (3, 2, "100.0"), (3, 0, "0.0")],
    ids=["some", "none in use", "nothing there", "more in use than there is", "all lost"],
)
def test_a_bar_is_never_wider_than_its_frame(used, shares, width):
    found = build([node("a", allocatable={GPU: shares}, allocated={GPU: used}, free={GPU: shares - used})])
    assert set(re.findall(r"width:([\d.-]+)%\"", found)) == {width}


@pytest.mark.parametrize(
    ("simulated", "shown"),
    [
        ([True], "1 of the 1 GPU node below is simulated. No GPU computes."),
        ([False, True], "1 of the 2 GPU nodes below is simulated. No GPU computes."),
        ([True, True], "2 of the 2 GPU nodes below are simulated. No GPU computes."),
    ],
)
def test_a_rehearsal_is_called_one_above_everything_else(simulated, shown):
    nodes = [node("n%d" % number, simulated=each) for number, each in enumerate(simulated)]
    found = text(nodes, rehearsal={"summary": "No GPU computes."})
    assert found.index("A rehearsal. " + shown) < found.index("physical GPUs")


def test_a_rehearsal_says_what_it_proves_and_what_not():
    found = text(rehearsal={"real": ["the scheduler"], "unproved": ["CUDA"]})
    assert "Proved by real software the scheduler Not proved here CUDA" in found and "Answered by a double" not in found
