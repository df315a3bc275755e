# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""The errors that modules report, and the shape of a refusal."""

from __future__ import annotations

import typing as t


class GpuOpsError(Exception):
    """What stops a module: a message for the user, and facts for the caller as fields of the result."""

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class Problem(t.NamedTuple):
    """One thing that is wrong with an input: where, what was found, which rule it breaks and how to mend it."""

    path: str
    value: t.Any
    rule: str
    fix: str
    severity: str = "refuse"

    def text(self) -> str:
        return "%s: %s: %s; fix: %s" % (self.path, _short(self.value), self.rule, self.fix)


def _short(value: t.Any, limit: int = 120) -> str:
    shown = repr(value)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def refuse(problems: t.Sequence[Problem], what: str) -> None:
    """Raise with all refusals at once, so that a user mends a plan in one go.

    Raises: GpuOpsError, whose field C(problems) lists every refusal and warning.
    """
    refusals = [problem for problem in problems if problem.severity == "refuse"]
    if refusals:
        lines = ["%s refused before anything was changed (%d problem%s):" % (what, len(refusals), "s" * (len(refusals) > 1))]
        lines += ["- " + problem.text() for problem in refusals]
        raise GpuOpsError("\n".join(lines), problems=[problem._asdict() for problem in problems])
