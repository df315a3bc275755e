# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the layers of tests one after the other, and end with a table of what ran, what did not, and why."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bootstrap  # noqa: E402  pylint: disable=wrong-import-position
import ci_plan  # noqa: E402  pylint: disable=wrong-import-position
import sanity  # noqa: E402  pylint: disable=wrong-import-position

# What tests.hosts ends with where this machine cannot have test hosts.
IMPOSSIBLE = 77
TESTBED = "ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed"
# In how many lives of a cluster runs and hosts are killed when there is time.
HEAVY_SEEDS = "20"
# How long a step that was asked to end may take to end its clusters.
GRACE_SECONDS = 90


@dataclasses.dataclass(frozen=True)
class Step:
    """One command of a layer; with not_run it is only listed."""

    layer: str
    name: str
    command: t.Tuple[str, ...] = ()
    report: t.Optional[Path] = None
    needs_binaries: bool = False
    needs_hosts: bool = False
    chosen_cost: t.Optional[float] = None
    not_run: str = ""


@dataclasses.dataclass
class Result:
    """How a step ended: passed, failed or NOT RUN."""

    step: Step
    state: str
    seconds: float = 0.0
    detail: str = ""
    passed: int = 0
    failed: int = 0
    skips: t.List[str] = dataclasses.field(default_factory=list)


def pytest_step(name: str, needs_binaries: bool, path: str = "", chosen_cost: t.Optional[float] = None) -> Step:
    """Return a step that runs a directory of tests, or one file."""
    path = path or f"tests/{name}"
    report = bootstrap.build_directory() / "reports" / f"{name}.xml"
    command = (sys.executable, "-m", "pytest", path, f"--junitxml={report}")
    missing = "" if (bootstrap.ROOT / path).exists() else f"{path} is not there"
    return Step(name, name, command, report, needs_binaries, False, chosen_cost, missing)


def chosen_steps(choices: t.Iterable[ci_plan.Choice]) -> t.Iterator[Step]:
    """Yield a step for each scenario and suite of the plan, run or not."""
    for choice in choices:
        entry = choice.entry
        if entry.kind == "molecule":
            command = ("molecule", "--base-config", ".config/molecule/config.yml", "test", "--scenario-name", entry.name)
            step = Step("molecule", f"molecule {entry.name}", command, None, True, False, entry.cost_seconds)
        else:
            # A file by itself is of the layer of its directory.
            step = dataclasses.replace(pytest_step(entry.name, True, entry.path, entry.cost_seconds), layer=Path(entry.path).parts[1])
        step = dataclasses.replace(step, needs_hosts=entry.hosts)
        if not choice.run:
            step = dataclasses.replace(step, not_run=choice.reason)
        yield step


def all_steps(choices: t.Iterable[ci_plan.Choice]) -> t.List[Step]:
    """Return every step in its order: cheap and telling first."""
    steps = [
        pytest_step("repository", False),
        Step("lint", "ansible-lint", ("ansible-lint", "--offline", "--nocolor")),
    ]
    for step in sanity.STEPS:
        steps.append(Step("sanity", step.name, (sys.executable, "tools/sanity.py", step.name), not_run=step.missing()))
    steps.append(pytest_step("unit", False))
    steps.append(Step("binaries", "binaries", (sys.executable, "-m", TESTBED, "binaries")))
    steps.append(Step("hosts", "hosts", (sys.executable, "-m", "tests.hosts", "prepare")))
    steps += [pytest_step(layer, True) for layer in ("contract", "integration")]
    return steps + list(chosen_steps(choices))


def select(steps: t.Iterable[Step], only: str, scenario: str) -> t.List[Step]:
    """Return the steps of one layer, with the binaries where it needs them."""
    wanted = [step for step in steps if step.layer == only and scenario in ("", step.name.rpartition(" ")[2])]
    if any(step.needs_binaries for step in wanted):
        wanted = [step for step in steps if step.layer == "binaries"] + wanted
    if any(step.needs_hosts for step in wanted):
        wanted = [step for step in steps if step.layer == "hosts"] + wanted
    return wanted


def execute(command: t.Sequence[str], timeout: t.Optional[float]) -> t.Tuple[int, str]:
    """Run a command with its output passed through; end it, and all that it started, when time is over or at Ctrl-C."""
    with subprocess.Popen(command, cwd=bootstrap.ROOT, stdin=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            return process.wait(timeout), ""
        except subprocess.TimeoutExpired:
            end(process)
            return 1, "ended: no time left"
        except KeyboardInterrupt:
            end(process)
            raise


def end(process: subprocess.Popen) -> None:
    """Interrupt a process group, as Ctrl-C would, so that it can clean up; then kill what remains."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(GRACE_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def read_report(result: Result) -> None:
    """Add the numbers and the skipped tests of a pytest report to a result."""
    if not result.step.report or not result.step.report.exists():
        return
    counts: t.Counter[str] = collections.Counter()
    for case in ElementTree.parse(result.step.report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        if "skipped" in kinds:
            counts["skipped"] += 1
            result.skips.append(case.find("skipped").get("message") or "no reason given")
        else:
            counts["failed" if kinds & {"failure", "error"} else "passed"] += 1
    result.passed, result.failed = counts["passed"], counts["failed"]
    result.detail = "; ".join(filter(None, [result.detail, ", ".join(f"{number} {kind}" for kind, number in counts.items())]))


def run(step: Step, started: float, limited: bool, missing: t.Collection[str]) -> Result:
    """Run one step, unless something speaks against it."""
    elapsed = time.monotonic() - started
    reason = step.not_run
    if not reason and step.needs_binaries and "binaries" in missing:
        reason = "the binaries of the rehearsal cluster could not be had"
    if not reason and step.needs_hosts and "hosts" in missing:
        reason = "this machine cannot have test hosts; the step hosts says why"
    if not reason and limited and step.chosen_cost is not None:
        reason = ci_plan.may_start(elapsed, step.chosen_cost)
    if reason:
        return Result(step, "NOT RUN", detail=reason)
    print(f"\n==== {step.name} (after {elapsed / 60:.0f} min): {' '.join(step.command)}", flush=True)
    if step.report:
        step.report.parent.mkdir(parents=True, exist_ok=True)
        step.report.unlink(missing_ok=True)
    before = time.monotonic()
    status, note = execute(step.command, max(60.0, ci_plan.END_SECONDS - elapsed) if limited else None)
    result = Result(step, "failed" if status else "passed", time.monotonic() - before, note)
    read_report(result)
    if step.layer == "hosts" and status == IMPOSSIBLE:
        return Result(step, "NOT RUN", result.seconds, "this machine cannot have test hosts; its last line above says why")
    if not result.passed and not result.failed:
        result.passed, result.failed = int(not status), int(bool(status))
    elif status and not result.failed:
        result.failed = 1
    print(f"==== {step.name}: {result.state} in {result.seconds:.0f} s", flush=True)
    return result


def print_table(results: t.Sequence[Result], seconds: float) -> None:
    """Print what ran and what did not; the last line is for programs."""
    width = max(len(result.step.name) for result in results)
    print(f"\n{'result':8} {'step':{width}} {'time':>7}  detail")
    for result in results:
        duration = f"{result.seconds:.0f} s" if result.state != "NOT RUN" else ""
        print(f"{result.state:8} {result.step.name:{width}} {duration:>7}  {result.detail}".rstrip())
    for result in results:
        for reason, number in collections.Counter(result.skips).items():
            print(f"skipped  {result.step.name:{width}} {number:>5} x  {reason}")
    skipped = sum(len(result.skips) for result in results) + sum(result.state == "NOT RUN" for result in results)
    print(f"in {seconds / 60:.1f} minutes; skipped counts the tests that skipped themselves and the steps NOT RUN")
    print(f"{sum(result.passed for result in results)} passed, {sum(result.failed for result in results)} failed, {skipped} skipped", flush=True)


def main(arguments: t.Sequence[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="LAYER", help="run one layer, all of it, without a time limit")
    parser.add_argument("--scenario", default="", help="with --only molecule: one scenario")
    parser.add_argument("--heavy", action="store_true", help="run everything, without a time limit")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    if options.heavy:
        os.environ.setdefault("GPUOPS_FAULT_SEEDS", HEAVY_SEEDS)
    everything = options.heavy or bool(options.only)
    change = ci_plan.read_change(bootstrap.ROOT)
    steps = all_steps(ci_plan.decide(ci_plan.read_plan(bootstrap.ROOT / "tests" / "plan.yml"), change, everything))
    if options.only:
        steps = select(steps, options.only, options.scenario)
    if not steps:
        parser.error(f"nothing is called {options.only} {options.scenario}".rstrip())
    results: t.List[Result] = []
    interrupted = False
    for step in steps:
        if interrupted:
            results.append(Result(step, "NOT RUN", detail="interrupted"))
            continue
        try:
            missing = {result.step.layer for result in results if result.state != "passed" and result.step.layer in ("binaries", "hosts")}
            results.append(run(step, started, not everything, missing))
        except KeyboardInterrupt:
            interrupted = True
            results.append(Result(step, "failed", detail="interrupted", failed=1))
    print_table(results, time.monotonic() - started)
    return int(any(result.state == "failed" for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
