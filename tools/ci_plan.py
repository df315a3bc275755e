# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose which scenarios and suites of tests/plan.yml a run has time for.

decide() and may_start() are pure; read_plan() and read_change() do the reading.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import subprocess
import typing as t
from pathlib import Path

import yaml

# Of the entries that a change does not touch, every third runs; which ones depends on the commit.
PARTS = 3
# Continuous integration gives 90 minutes in all: the rest is for what has been started, and for cleaning up after it.
LAST_START_SECONDS = 65 * 60
END_SECONDS = 85 * 60
BATCH_SECONDS = 12 * 3600


@dataclasses.dataclass(frozen=True)
class Entry:
    """A scenario or a suite, as tests/plan.yml describes it."""

    name: str
    kind: str
    cost_seconds: int
    covers: t.Tuple[str, ...]
    heavy: bool = False
    path: str = ""
    hosts: bool = False


@dataclasses.dataclass(frozen=True)
class Plan:
    """tests/plan.yml."""

    everything: t.Tuple[str, ...]
    entries: t.Tuple[Entry, ...]


@dataclasses.dataclass(frozen=True)
class Change:
    """What a run has to prove: the commit, and the paths that changed since base (None: nothing to compare with)."""

    commit: str
    base: str
    paths: t.Optional[t.Tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Choice:
    """Whether an entry runs, and why."""

    entry: Entry
    run: bool
    reason: str


def first_match(patterns: t.Iterable[str], paths: t.Iterable[str]) -> str:
    """Return the first path that a pattern covers (a star also covers slashes), or an empty string."""
    patterns = tuple(patterns)
    return next((path for path in paths if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)), "")


def decide(plan: Plan, change: Change, heavy: bool = False) -> t.List[Choice]:
    """Return a choice for each entry: those to run first, the ones that the change calls for before the rotating ones."""
    turn = int(change.commit[:8] or "0", 16)
    called, rotating, left = [], [], []
    for index, entry in enumerate(sorted(plan.entries, key=lambda entry: (entry.kind, entry.name))):
        reason = call_reason(plan, entry, change, heavy)
        if entry.heavy and not heavy:
            left.append(Choice(entry, False, "heavy: runs with make test-heavy"))
        elif reason:
            called.append(Choice(entry, True, reason))
        elif (index + turn) % PARTS == 0:
            rotating.append(Choice(entry, True, f"its turn at commit {change.commit[:8]}"))
        else:
            left.append(Choice(entry, False, f"the change since {change.base[:8]} does not touch it, and it is not its turn"))
    return called + rotating + left


def call_reason(plan: Plan, entry: Entry, change: Change, heavy: bool) -> str:
    """Say why a change calls for an entry, or return an empty string."""
    if heavy:
        return "everything was asked for"
    if change.paths is None:
        return "nothing to compare with"
    path = first_match(plan.everything, change.paths)
    if path:
        return f"{path} touches everything"
    path = first_match(entry.covers, change.paths)
    return f"covers {path}" if path else ""


def may_start(elapsed: float, cost: float) -> str:
    """Say why an entry may not start this late, or return an empty string."""
    if elapsed >= LAST_START_SECONDS:
        return f"{elapsed / 60:.0f} minutes have passed: nothing starts after {LAST_START_SECONDS // 60}"
    if elapsed + cost > END_SECONDS:
        return f"takes about {cost / 60:.0f} minutes, and {elapsed / 60:.0f} of {END_SECONDS // 60} have passed"
    return ""


def read_plan(path: Path) -> Plan:
    """Read tests/plan.yml."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    entries = [Entry(row["name"], kind, row["cost_seconds"], tuple(row["covers"]), row["heavy"], row.get("path", ""),
                     row.get("hosts", False))
               for kind, rows in (("molecule", document["scenarios"]), ("pytest", document["suites"])) for row in rows]
    return Plan(tuple(document["everything"]), tuple(entries))


def read_change(root: Path) -> Change:
    """Ask git what changed: since the branch left its origin, or else in the last half day; uncommitted files count."""
    commit = git(root, "rev-parse", "HEAD") or ""
    base = os.environ.get("GPUOPS_BASE", "")
    if not base:
        for origin in ("origin/HEAD", "origin/main"):
            base = git(root, "merge-base", "HEAD", origin) or ""
            if base and base != commit:
                break
            base = ""
    base = base or before_the_last_batch(root)
    base = git(root, "rev-parse", "--verify", "--quiet", base + "^{commit}") or "" if base else ""
    changed = git(root, "diff", "--name-only", "--no-renames", base) if base else None
    untracked = git(root, "ls-files", "--others", "--exclude-standard")
    if changed is None or untracked is None:
        return Change(commit, base, None)
    return Change(commit, base, tuple(sorted(set(changed.splitlines() + untracked.splitlines()))))


def before_the_last_batch(root: Path) -> str:
    """Return the last commit that is half a day older than the newest one; empty where there is none.

    Commits come in batches, and a fresh clone does not tell how many of them are new.
    """
    newest = git(root, "log", "-1", "--format=%ct") or "0"
    return git(root, "rev-list", "-1", f"--before={int(newest) - BATCH_SECONDS}", "HEAD") or ""


def git(root: Path, *arguments: str) -> t.Optional[str]:
    """Return what a git command prints, or None where it fails or git is missing."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
