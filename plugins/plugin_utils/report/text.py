# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""The report for a terminal: aligned tables of at most 100 columns."""

from __future__ import annotations

import re
import textwrap
import typing as t

WIDTH = 100
NODES = 16
NUMBERS = ("gpus", "shares", "used", "free", "nodes", "seconds")


def lines(report: dict, width: int = WIDTH) -> t.List[str]:
    """Return the report as lines of text."""
    parts = [_head(report), _models(report), _nodes(report, width), _running(report, width), _pending(report, width), _foot(report, width)]
    found: t.List[str] = []
    for part in parts:
        found += part + [""] if part else []
    return found[:-1]


def table(rows: t.Sequence[dict], columns: t.Sequence[t.Tuple[str, str]], indent: str = "  ") -> t.List[str]:
    """Return rows under a head; columns are (key, title), numbers stand on the right."""
    shown = [{key: _cell(row.get(key)) for key, _title in columns} for row in rows]
    widths = {key: max([len(title)] + [len(row[key]) for row in shown]) for key, title in columns}

    def line(cells: t.Dict[str, str]) -> str:
        each = [cells[key].rjust(widths[key]) if key in NUMBERS else cells[key].ljust(widths[key]) for key, _title in columns]
        return (indent + "  ".join(each)).rstrip()

    return [line(dict(columns))] + [line(row) for row in shown]


def _cell(value: t.Any) -> str:
    return "?" if value is None else str(value)


def _head(report: dict) -> t.List[str]:
    cluster, total = report["cluster"], report["total"]
    facts = [cluster.get("name", ""), cluster.get("kubernetes", "")]
    facts.append("%d GPU node%s" % (total["nodes"], "s" * (total["nodes"] != 1)))
    facts.append("%d GPUs, %d shares" % (total["gpus"], total["shares"]) if total["shares"] != total["gpus"] else "%d GPUs" % total["gpus"])
    return ["GPU REPORT  " + "  \u00b7  ".join(fact for fact in facts if fact)]


def _models(report: dict) -> t.List[str]:
    columns = [("model", "MODEL"), ("sharing", "SHARING"), ("nodes", "NODES"), ("gpus", "GPUS"), ("shares", "SHARES"), ("used", "IN USE"), ("free", "FREE")]
    return table(report["models"] + [dict(report["total"], model="all", sharing="")], columns) if report["models"] else []


def _nodes(report: dict, width: int) -> t.List[str]:
    late = [node for node in report["nodes"] if node["problem"]]
    rows = late + [node for node in report["nodes"] if not node["problem"]]
    columns = [("name", "NODE"), ("model", "MODEL"), ("config", "CONFIG"), ("sharing", "SHARING"), ("gpus", "GPUS")]
    columns += [("shares", "SHARES"), ("used", "IN USE"), ("free", "FREE")]
    chosen = sorted(rows[:NODES], key=report["nodes"].index)
    found = table(chosen, columns) if chosen else []
    if len(rows) > NODES:
        found.append("  and %d more nodes" % (len(rows) - NODES))
    for node in late[:NODES]:
        found += _wrapped("  ! %s: " % node["name"], node["problem"], width)
    return [line[:width] for line in found]


def _running(report: dict, width: int) -> t.List[str]:
    found = []
    for space in report["running"]:
        places = ", ".join("%s (%d)" % place for place in list(space["nodes"].items())[:8])
        more = len(space["nodes"]) - 8
        where = places + (", and %d more nodes" % more if more > 0 else "")
        head = "  %s: " % space["namespace"]
        counts = (space["pods"], "s" * (space["pods"] != 1), space["devices"], "s" * (space["devices"] != 1))
        found += _wrapped(head, "%d pod%s with %d device%s on " % counts + where, width)
    return ["RUNNING (devices held)"] + found if found else []


def _pending(report: dict, width: int, most: int = 5) -> t.List[str]:
    found = []
    for pod in report["pending"][:most]:
        found.append("  %s/%s wants %s:" % (pod["namespace"], pod["name"], pod["wants"]))
        # What the scheduler says about claims and preemption repeats it; the page has all of it.
        found += _wrapped("    ", re.sub(r" (no new claims to deallocate, )?preemption: .*", "", pod["why"], flags=re.DOTALL), width)
    if len(report["pending"]) > most:
        found.append("  and %d more" % (len(report["pending"]) - most))
    return ["PENDING"] + found if found else []


def _foot(report: dict, width: int) -> t.List[str]:
    found: t.List[str] = []
    if report["validation"]:
        word = "" if report["validation"]["ok"] else "FAILED: "
        found += _wrapped("VALIDATION  ", word + report["validation"]["summary"], width)
    if report["steps"]:
        found += _wrapped("TIME        ", ", ".join("%s %s" % (step["step"], duration(step["seconds"])) for step in report["steps"]), width)
    if report["simulated"]:
        text = "%d of %d nodes: " % (report["simulated"], report["total"]["nodes"])
        text += report["rehearsal"].get("summary") or "their GPUs are an answer of a program, nothing computed"
        found += _wrapped("SIMULATED   ", text, width)
    return found


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 60:
        return "%.0f s" % seconds if seconds >= 10 else "%.1f s" % seconds
    return "%d min %02d s" % divmod(round(seconds), 60)


def _wrapped(head: str, text: str, width: int) -> t.List[str]:
    return textwrap.wrap(text, width, initial_indent=head, subsequent_indent=" " * len(head)) or [head.rstrip()]
