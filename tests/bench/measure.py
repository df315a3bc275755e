# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole process against whole process: wall time, CPU time and peak memory, in alternating runs from the same start state."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import typing as t

RUNS = int(os.environ.get("GPUOPS_BENCH_RUNS", "5"))
# The kernel counts into a process's peak what it was forked from: from this small interpreter, not from the one that runs pytest.
LAUNCHER = """
import os, sys, time
began = time.monotonic()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
status, usage = os.wait4(pid, 0)[1:]
with open(sys.argv[1], "w") as report:
    print(os.waitstatus_to_exitcode(status), time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, file=report)
"""


class Sample(t.NamedTuple):
    """One run: seconds of wall clock, seconds of CPU (children included), MiB of the largest process."""

    wall: float
    cpu: float
    peak: float


class Command(t.NamedTuple):
    """What is measured. C(reset) restores the start state before each run, C(check) looks at what the run left."""

    name: str
    argv: t.Sequence[str]
    environment: t.Mapping[str, str] = {}
    stdin: str = ""
    reset: t.Callable[[], None] = lambda: None
    check: t.Callable[[str], None] = lambda output: None


def run(command: Command) -> Sample:
    """Run once. A command that fails, or does not leave what it should, is no measurement."""
    command.reset()
    with tempfile.NamedTemporaryFile("r") as report:
        launcher = [sys.executable, "-S", "-E", "-c", LAUNCHER, report.name, *command.argv]
        done = subprocess.run(
            launcher, input=command.stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ, **command.environment), check=False
        )
        status, *figures = map(float, report.read().split())
    assert done.returncode == status == 0, "%s failed:\n%s" % (command.name, done.stdout[-4000:])
    command.check(done.stdout)
    return Sample(*figures)


def alternate(commands: t.Sequence[Command], runs: int = RUNS) -> t.Dict[str, t.List[Sample]]:
    """Run all commands in turn, A B C A B C, after one round that does not count."""
    samples: t.Dict[str, t.List[Sample]] = {command.name: [] for command in commands}
    for number in range(runs + 1):
        for command in commands:
            sample = run(command)
            if number:
                samples[command.name].append(sample)
    return samples


def median(samples: t.Sequence[Sample], figure: str) -> float:
    return statistics.median(getattr(sample, figure) for sample in samples)


def table(title: str, samples: t.Mapping[str, t.Sequence[Sample]], ours: str) -> str:
    """Return medians with their spread, and each command's ratio to ours."""
    lines = [title, "%-46s %22s %10s %10s %8s %8s" % ("", "wall s (min - max)", "cpu s", "peak MiB", "x wall", "x peak")]
    for name, found in samples.items():
        walls = [sample.wall for sample in found]
        spread = "%.2f (%.2f - %.2f)" % (statistics.median(walls), min(walls), max(walls))
        ratios = [median(found, figure) / median(samples[ours], figure) for figure in ("wall", "peak")]
        lines.append("%-46s %22s %10.2f %10.0f %8.2f %8.2f" % (name, spread, median(found, "cpu"), median(found, "peak"), *ratios))
    return "\n".join(lines)
