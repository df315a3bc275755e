# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Names of role variables: which are ours, and which look like a misspelling of ours. No I/O."""

from __future__ import annotations

import typing as t

# More than this, and a name is somebody's own.
FARTHEST = 2


class Finding(t.NamedTuple):
    """A name that no role has, and the variable that may be meant (empty when none is near)."""

    name: str
    meant: str


def variables_of(specification: t.Mapping[str, t.Any]) -> t.FrozenSet[str]:
    """Return the variables of all entry points of a role's argument_specs."""
    entry_points = specification.get("argument_specs") or {}
    return frozenset(name for entry in entry_points.values() for name in (entry or {}).get("options") or {})


def findings(names: t.Iterable[str], role: str, variables: t.Mapping[str, t.Collection[str]]) -> t.List[Finding]:
    """Return the names that start like the role's variables, but belong neither to it nor to another of our roles.

    :param variables: the variables of each of our roles.
    """
    return [Finding(name, nearest(name, variables[role])) for name in sorted(set(names)) if name not in variables[role] and _owner(name, variables) == role]


def _owner(name: str, roles: t.Iterable[str]) -> str:
    """Return the role with the longest name that is a prefix of a variable: gpu_sharing_x is of gpu_sharing, not of a role gpu."""
    return max((role for role in roles if name.startswith(role + "_")), key=len, default="")


def nearest(name: str, candidates: t.Iterable[str]) -> str:
    """Return the candidate with the smallest edit distance, at most FARTHEST; the first by name among equals."""
    near = [(distance(name, candidate), candidate) for candidate in candidates if abs(len(name) - len(candidate)) <= FARTHEST]
    best = min(near, default=(FARTHEST + 1, ""))
    return best[1] if best[0] <= FARTHEST else ""


def distance(one: str, other: str) -> int:
    """Return how many letters have to be inserted, removed or replaced to make one of the other."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        above, row = row, [number]
        for column, match in enumerate(other, 1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (letter != match)))
    return row[-1]
