# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
import time

import pytest

from tools import ci_plan, run_tests

REPORT = """<testsuites><testsuite>
<testcase name="a"/><testcase name="b"/>
<testcase name="c"><skipped message="no recorded data here"/></testcase>
<testcase name="d"><failure message="wrong"/></testcase>
</testsuite></testsuites>"""


def step(code, **more):
    return run_tests.Step("unit", "unit", (sys.executable, "-c", code), **more)


def run(one, started=None, limited=False, missing=()):
    return run_tests.run(one, time.monotonic() if started is None else started, limited, missing)


@pytest.mark.parametrize(("code", "state", "passed", "failed"), [("pass", "passed", 1, 0), ("raise SystemExit(3)", "failed", 0, 1)])
def test_command_without_a_report_counts_as_one(code, state, passed, failed):
    result = run(step(code))
    assert (result.state, result.passed, result.failed) == (state, passed, failed)


def test_numbers_and_reasons_come_from_the_report(tmp_path):
    report = tmp_path / "reports" / "unit.xml"
    result = run(step(f"import pathlib, sys; pathlib.Path({str(report)!r}).write_text({REPORT!r}); sys.exit(1)", report=report))
    assert (result.state, result.passed, result.failed, result.skips) == ("failed", 2, 1, ["no recorded data here"])


def test_report_of_an_earlier_run_is_not_taken_for_this_one(tmp_path):
    report = tmp_path / "unit.xml"
    report.write_text(REPORT, encoding="utf-8")
    result = run(step("raise SystemExit(4)", report=report))
    assert (result.state, result.passed, result.failed) == ("failed", 0, 1)


def test_command_that_fails_after_passing_tests_is_a_failure(tmp_path):
    report = tmp_path / "unit.xml"
    passing = "<testsuites><testsuite><testcase name='a'/></testsuite></testsuites>"
    result = run(step(f"import pathlib, sys; pathlib.Path({str(report)!r}).write_text({passing!r}); sys.exit(1)", report=report))
    assert (result.state, result.passed, result.failed) == ("failed", 1, 1)


@pytest.mark.parametrize(("more", "arguments", "reason"), [
    ({"not_run": "no Python 3.8"}, {}, "no Python 3.8"),
    ({"needs_binaries": True}, {"missing": ["binaries"]}, "could not be had"),
    ({"needs_hosts": True}, {"missing": ["hosts"]}, "cannot have test hosts"),
    ({"chosen_cost": 10.0}, {"limited": True, "started": -float(ci_plan.LAST_START_SECONDS)}, "nothing starts after"),
])
def test_step_that_may_not_run_says_why(more, arguments, reason, monkeypatch):
    if "started" in arguments:
        monkeypatch.setattr(run_tests.time, "monotonic", lambda: 0.0)
    result = run(step("raise SystemExit(1)", **more), **arguments)
    assert result.state == "NOT RUN"
    assert reason in result.detail


def test_time_limit_is_for_chosen_steps_of_a_limited_run_only():
    late = time.monotonic() - ci_plan.LAST_START_SECONDS
    assert run(step("pass", chosen_cost=10.0), started=late).state == "passed"
    assert run(step("pass"), started=late, limited=True).state == "passed"


def test_command_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path):
    note = tmp_path / "note"
    child = f"import pathlib, time\ntry:\n time.sleep(600)\nexcept KeyboardInterrupt:\n pathlib.Path({str(note)!r}).write_text('ended')"
    parent = f"import subprocess, sys\np = subprocess.Popen([sys.executable, '-c', {child!r}])\ntry:\n p.wait()\nexcept KeyboardInterrupt:\n p.wait()"
    status, told = run_tests.execute((sys.executable, "-c", parent), timeout=5.0)
    assert status != 0
    assert told == "ended: no time left"
    assert note.read_text(encoding="utf-8") == "ended"


def test_last_line_is_for_programs(capsys):
    passed = run_tests.Result(step("pass"), "passed", 1.0, passed=3, skips=["no data", "no data"])
    failed = run_tests.Result(step("pass"), "failed", 1.0, passed=1, failed=2)
    left = run_tests.Result(step("pass"), "NOT RUN", detail="no Python 3.8")
    run_tests.print_table([passed, failed, left], 60.0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "4 passed, 2 failed, 3 skipped"
    assert any(line.startswith("NOT RUN") and line.endswith("no Python 3.8") for line in lines)
    assert any(line.startswith("skipped") and line.endswith("2 x  no data") for line in lines)


def choices():
    entries = [ci_plan.Entry(name, "molecule", 60, ()) for name in ("one", "two")] + [ci_plan.Entry("faults", "pytest", 60, (), path="tests/faults")]
    return [ci_plan.Choice(entry, entry.name != "two", "because") for entry in entries]


def test_layers_come_in_order_and_everything_is_listed():
    steps = run_tests.all_steps(choices())
    layers = list(dict.fromkeys(one.layer for one in steps))
    assert layers == ["repository", "lint", "sanity", "unit", "binaries", "hosts", "contract", "integration", "molecule", "faults"]
    assert {one.name: one.not_run for one in steps if one.layer == "molecule"} == {"molecule one": "", "molecule two": "because"}


def test_one_layer_brings_the_binaries_that_it_needs():
    steps = run_tests.all_steps(choices())
    assert [one.name for one in run_tests.select(steps, "unit", "")] == ["unit"]
    assert [one.name for one in run_tests.select(steps, "molecule", "two")] == ["binaries", "molecule two"]
    assert run_tests.select(steps, "molecule", "three") == []


def test_a_machine_that_cannot_have_hosts_is_told_from_one_where_they_failed():
    for status, state in ((run_tests.IMPOSSIBLE, "NOT RUN"), (1, "failed"), (0, "passed")):
        assert run(run_tests.Step("hosts", "hosts", (sys.executable, "-c", f"raise SystemExit({status})"))).state == state


def test_scenario_on_hosts_brings_them():
    entry = ci_plan.Entry("three", "molecule", 60, (), hosts=True)
    steps = run_tests.all_steps([ci_plan.Choice(entry, True, "because")])
    assert [one.name for one in run_tests.select(steps, "molecule", "three")] == ["hosts", "binaries", "molecule three"]


def test_tests_that_are_not_there_are_not_run():
    assert run_tests.pytest_step("nothing", False).not_run == "tests/nothing is not there"
