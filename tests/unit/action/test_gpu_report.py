# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page on the disk: whole or not at all, and changed only when GPUs or sharing did."""

from __future__ import annotations

import os
import types
from unittest import mock

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.gpuops.kubernetes.plugins.action import gpu_report as plugin

GPU = "nvidia.com/gpu"
NEW, OTHER = "a new page", "shows other GPUs or another sharing than before"


def gpus(replicas=1, used=0):
    count = 8 * replicas
    shared = {"replicas": replicas, "strategy": "time-slicing" if replicas > 1 else "none"}
    devices = {"allocatable": {GPU: count}, "allocated": {GPU: used}, "free": {GPU: count - used}}
    pods = [{"namespace": "ml", "name": "p", "node": "a", "phase": "Running", "resources": {GPU: used}, "reason": "", "message": ""}]
    return {"nodes": [dict(shared, name="a", ready=True, product="Tesla-T4", gpus=8, **devices)], "pods": pods if used else []}


def run(path="", check_mode=False, diff=False, **args):
    task = types.SimpleNamespace(action="gpu_report", async_val=0, check_mode=check_mode, diff=diff)
    task.args = dict({"path": str(path), "cluster": {"name": "lab"}, "gpus": gpus()}, **args)
    others = {"connection": mock.Mock(), "play_context": None, "loader": None, "templar": None, "shared_loader_obj": None}
    return plugin.ActionModule(task=task, **others).run(task_vars={})


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_the_page_is_written_with_its_directories_and_nothing_beside_it(tmp_path):
    path = tmp_path / "some" / "where" / "report.html"
    result = run(path)
    assert result["changed"] and result["path"] == str(path) and result["lines"][-1] == "PAGE        file://%s" % path
    assert "GPU report: lab" in path.read_text(encoding="utf-8") and names(path.parent) == ["report.html"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_relative_path_begins_where_ansible_was_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("report.html")["path"] == str(tmp_path / "report.html") and names(tmp_path) == ["report.html"]


def test_a_path_may_begin_with_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run("~/report.html")["path"] == str(tmp_path / "report.html") and names(tmp_path) == ["report.html"]


def test_without_a_path_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run()
    assert not result["changed"] and result["path"] == "" and names(tmp_path) == []
    assert result["lines"][0].startswith("GPU REPORT  lab") and not [line for line in result["lines"] if "PAGE" in line]


def test_the_report_is_returned_as_data():
    report = run(marks=[{"step": "a", "at": 1.0}, {"at": 3.5}], validation={"ok": True, "pods": []})["report"]
    assert report["total"] == {"nodes": 1, "gpus": 8, "shares": 8, "used": 0, "free": 8}
    assert report["steps"] == [{"step": "a", "seconds": 2.5}] and report["validation"]["ok"] is True


CASES = {
    "the same again": ({}, {}, ""),
    "other pods": ({}, {"gpus": gpus(used=3)}, ""),
    "another time": ({}, {"marks": [{"step": "a", "at": 1.0}]}, ""),
    "another sharing": ({}, {"gpus": gpus(4)}, OTHER),
    "another cluster": ({}, {"cluster": {"name": "other"}}, OTHER),
    "a node with a problem": ({}, {"sharing": {"nodes": [{"name": "a", "reason": "advertises 8, not 32"}]}}, OTHER),
}


@pytest.mark.parametrize("check_mode", [False, True], ids=["done", "foreseen"])
@pytest.mark.parametrize("first, second, difference", CASES.values(), ids=CASES)
def test_a_second_run_is_a_change_only_when_something_lasting_is_new(tmp_path, first, second, difference, check_mode):
    path = tmp_path / "report.html"
    run(path, **first)
    result = run(path, check_mode=check_mode, diff=True, **second)
    assert result["changed"] is bool(difference)
    assert result.get("diff") == ({"prepared": "%s: %s\n" % (path, difference)} if difference else None)


def test_a_page_is_fresh_even_when_it_counts_as_unchanged(tmp_path):
    path = tmp_path / "report.html"
    run(path)
    before = path.read_text(encoding="utf-8")
    assert not run(path, gpus=gpus(used=3))["changed"]
    assert "Who runs where" not in before and "Who runs where" in path.read_text(encoding="utf-8")


def test_check_mode_foresees_the_page_and_writes_nothing(tmp_path):
    result = run(tmp_path / "some" / "report.html", check_mode=True)
    assert result["changed"] and result["path"] == str(tmp_path / "some" / "report.html") and names(tmp_path) == []


def test_check_mode_leaves_an_older_page_as_it_is(tmp_path):
    path = tmp_path / "report.html"
    run(path)
    before = path.read_bytes()
    assert run(path, check_mode=True, gpus=gpus(4))["changed"] and path.read_bytes() == before


@pytest.mark.parametrize("check_mode", [False, True])
def test_only_diff_mode_has_a_diff(tmp_path, check_mode):
    path = tmp_path / "report.html"
    assert run(path, check_mode=True, diff=True)["diff"] == {"prepared": "%s: %s\n" % (path, NEW)}
    assert "diff" not in run(path, check_mode=check_mode, diff=False)


@pytest.mark.parametrize("content", [b"", b"notes\n", b"\xff\xfe\x00"], ids=["empty", "text", "not even text"])
def test_a_file_that_is_no_report_becomes_a_new_page(tmp_path, content):
    path = tmp_path / "report.html"
    path.write_bytes(content)
    assert run(path, diff=True)["diff"]["prepared"].endswith(NEW + "\n") and b"<!DOCTYPE html>" in path.read_bytes()
    assert not run(path)["changed"]


def test_a_path_below_a_file_is_an_error_that_names_path_and_fix(tmp_path):
    path = tmp_path / "file" / "report.html"
    path.parent.write_text("x", encoding="utf-8")
    with pytest.raises(AnsibleActionFail) as caught:
        run(path)
    reason = "[Errno 17] File exists: '%s'" % path.parent
    assert str(caught.value) == "path: '%s': the page cannot be written: %s. Fix: choose a directory that you may write to." % (path, reason)


def test_a_path_that_is_a_directory_is_an_error_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(AnsibleActionFail, match="the page cannot be written"):
        run(tmp_path / "report.html")
    assert names(tmp_path) == ["report.html"]


def test_a_write_that_fails_leaves_the_older_page_whole(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    run(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", mock.Mock(side_effect=OSError(28, "No space left on device")))
    with pytest.raises(AnsibleActionFail, match="No space left on device"):
        run(path, gpus=gpus(4))
    assert path.read_bytes() == before and names(tmp_path) == ["report.html"]


@pytest.mark.parametrize("args", [{}, {"show": "yes"}], ids=["by default", "asked for"])
def test_the_tables_are_printed_on_standard_error(capsys, args):
    result = run(**args)
    printed = capsys.readouterr()
    assert printed.out == "" and "\n".join(result["lines"]) in printed.err


def test_nothing_is_printed_unless_it_is_to_be_shown(capsys, tmp_path):
    assert run(tmp_path / "report.html", show=False)["lines"]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        pytest.param({"gpus": None}, "gpus", id="nothing to report"),
        pytest.param({"paths": "x"}, "paths", id="a misspelt option"),
        pytest.param({"marks": [{"step": "a"}]}, "at", id="a mark without a time"),
    ],
)
def test_a_wrong_option_is_an_error_that_names_it(args, message):
    with pytest.raises(AnsibleActionFail, match=r"\b%s\b" % message):
        run(**args)
