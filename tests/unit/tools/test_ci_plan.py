# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess

import pytest

from tools import ci_plan

ENTRIES = (
    ci_plan.Entry("alpha", "molecule", 100, ("roles/alpha/**", "molecule/alpha/**")),
    ci_plan.Entry("beta", "molecule", 100, ("roles/beta/**",)),
    ci_plan.Entry("gamma", "molecule", 100, ("roles/gamma/**",)),
    ci_plan.Entry("faults", "pytest", 100, ("plugins/**",), path="tests/faults"),
    ci_plan.Entry("bench", "pytest", 100, ("plugins/**",), heavy=True, path="tests/bench"),
)
PLAN = ci_plan.Plan(("requirements-dev.txt", "tools/*"), ENTRIES)


def change(*paths, commit="0" * 40):
    return ci_plan.Change(commit, "1" * 40, paths)


def chosen(choices):
    return {choice.entry.name for choice in choices if choice.run}


def test_entry_that_covers_the_change_runs_first_and_says_why():
    first = ci_plan.decide(PLAN, change("README.md", "roles/beta/tasks/main.yml"))[0]
    assert (first.entry.name, first.run, first.reason) == ("beta", True, "covers roles/beta/tasks/main.yml")


def test_change_that_touches_everything_calls_for_all_but_the_heavy_ones():
    assert chosen(ci_plan.decide(PLAN, change("tools/bootstrap.py"))) == {"alpha", "beta", "gamma", "faults"}


def test_without_anything_to_compare_with_all_but_the_heavy_ones_run():
    choices = ci_plan.decide(PLAN, ci_plan.Change("", "", None))
    assert chosen(choices) == {"alpha", "beta", "gamma", "faults"}
    assert {choice.reason for choice in choices if choice.run} == {"nothing to compare with"}


def test_heavy_entry_is_never_chosen_by_a_change_and_says_how_to_run_it():
    (bench,) = [choice for choice in ci_plan.decide(PLAN, change("plugins/modules/x.py")) if choice.entry.heavy]
    assert not bench.run
    assert "make test-heavy" in bench.reason


def test_heavy_run_has_everything():
    assert chosen(ci_plan.decide(PLAN, change("README.md"), heavy=True)) == {entry.name for entry in ENTRIES}


def test_three_turns_together_run_each_untouched_entry_exactly_once():
    turns = [chosen(ci_plan.decide(PLAN, change("README.md", commit=f"{turn:08x}" + "0" * 32))) for turn in range(ci_plan.PARTS)]
    ran = sorted(name for turn in turns for name in turn)
    assert ran == ["alpha", "beta", "faults", "gamma"]


def test_every_entry_gets_a_choice_with_a_reason():
    choices = ci_plan.decide(PLAN, change("README.md"))
    assert sorted(choice.entry.name for choice in choices) == sorted(entry.name for entry in ENTRIES)
    assert all(choice.reason for choice in choices)


def test_the_same_commit_decides_the_same():
    assert ci_plan.decide(PLAN, change("roles/alpha/x")) == ci_plan.decide(PLAN, change("roles/alpha/x"))


@pytest.mark.parametrize(("elapsed", "cost", "starts"), [
    (0, 600, True),
    (ci_plan.LAST_START_SECONDS - 1, 60, True),
    (ci_plan.LAST_START_SECONDS, 1, False),
    (ci_plan.LAST_START_SECONDS - 1, ci_plan.END_SECONDS - ci_plan.LAST_START_SECONDS + 2, False),
])
def test_nothing_starts_that_cannot_end_in_time(elapsed, cost, starts):
    assert (ci_plan.may_start(elapsed, cost) == "") is starts


@pytest.mark.parametrize(("pattern", "path", "match"), [
    ("roles/x/**", "roles/x/tasks/main.yml", True),
    ("roles/x/**", "roles/xy/tasks/main.yml", False),
    ("plugins/modules/gpu_sharing.py", "plugins/modules/gpu_sharing.py", True),
    ("plugins/modules/gpu_sharing.py", "plugins/modules/gpu_sharing.pyc", False),
])
def test_patterns(pattern, path, match):
    assert bool(ci_plan.first_match([pattern], [path])) is match


@pytest.fixture(name="repository")
def git_repository(tmp_path, monkeypatch):
    monkeypatch.delenv("GPUOPS_BASE", raising=False)

    def run(*arguments, hour=0):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@localhost", *arguments]
        environment = dict(os.environ, GIT_COMMITTER_DATE=f"{1700000000 + 3600 * hour} +0000")
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment).stdout.strip()

    def commit(name, hour=0):
        (tmp_path / name).write_text(name, encoding="utf-8")
        run("add", name)
        run("commit", "--quiet", "--message", name, hour=hour)
        return run("rev-parse", "HEAD")

    run("init", "--quiet", "--initial-branch", "main")
    return tmp_path, run, commit


def test_change_is_what_the_last_batch_of_commits_and_the_working_tree_did(repository):
    root, _run, commit = repository
    commit("z")
    before = commit("y", hour=1)
    commit("b", hour=20)
    newest = commit("c", hour=23)
    (root / "z").write_text("edited", encoding="utf-8")
    (root / "d").write_text("new", encoding="utf-8")
    assert ci_plan.read_change(root) == ci_plan.Change(newest, before, ("b", "c", "d", "z"))


def test_commits_of_one_batch_have_nothing_to_compare_with(repository):
    root, _run, commit = repository
    commit("a")
    newest = commit("b", hour=11)
    assert ci_plan.read_change(root) == ci_plan.Change(newest, "", None)


def test_change_on_a_branch_counts_from_where_it_left_its_origin(repository):
    root, run, commit = repository
    first = commit("a")
    run("update-ref", "refs/remotes/origin/main", first)
    commit("b")
    third = commit("c")
    assert ci_plan.read_change(root) == ci_plan.Change(third, first, ("b", "c"))


def test_origin_at_the_same_commit_falls_back_to_the_last_batch(repository):
    root, run, commit = repository
    first = commit("a")
    second = commit("b", hour=13)
    run("update-ref", "refs/remotes/origin/main", second)
    assert ci_plan.read_change(root) == ci_plan.Change(second, first, ("b",))


def test_base_can_be_named(repository, monkeypatch):
    root, _run, commit = repository
    first = commit("a")
    commit("b")
    third = commit("c")
    monkeypatch.setenv("GPUOPS_BASE", first)
    assert ci_plan.read_change(root) == ci_plan.Change(third, first, ("b", "c"))


def test_first_commit_has_nothing_to_compare_with(repository):
    root, _run, commit = repository
    first = commit("a")
    assert ci_plan.read_change(root) == ci_plan.Change(first, "", None)


def test_directory_that_is_no_repository_has_nothing_to_compare_with(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert ci_plan.read_change(tmp_path) == ci_plan.Change("", "", None)
