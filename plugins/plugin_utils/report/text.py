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
    parts = [_head(report, width), _models(report, width), _nodes(report, width), _running(report, width), _pending(report, width), _foot(report, width)]
    found: t.List[str] = []
    for part in parts:
        found += part + [""] if part else []
    return found[:-1]


def table(rows: t.Sequence[dict], columns: t.Sequence[t.Tuple[str, str]], width: int = WIDTH, indent: str = "  ") -> t.List[str]:
    """Return rows under a head; columns are (key, title), numbers stand on the right and are never cut, long names are shortened."""
    shown = [{key: _cell(row.get(key)) for key, _title in columns} for row in rows]
    widths = {key: max([len(title)] + [len(row[key]) for row in shown]) for key, title in columns}
    names = {key: widths[key] for key, _title in columns if key not in NUMBERS}
    room = width - len(indent) - 2 * (len(columns) - 1) - sum(widths.values()) + sum(names.values())
    while sum(names.values()) > room and max(names.values(), default=0) > 8:
        names[max(names, key=lambda key: names[key])] -= 1
    widths.update(names)
    shown = [{key: text if key in NUMBERS else _shortened(text, widths[key]) for key, text in row.items()} for row in shown]

    def line(cells: t.Dict[str, str]) -> str:
        each = [cells[key].rjust(widths[key]) if key in NUMBERS else cells[key].ljust(widths[key]) for key, _title in columns]
        return (indent + "  ".join(each)).rstrip()

    return [line(dict(columns))] + [line(row) for row in shown]


def _cell(value: t.Any) -> str:
    return "?" if value is None else str(value)


def _shortened(text: str, size: int) -> str:
    """Return a text of at most that size, with both of its ends: nodes of one cluster differ in either."""
    return text if len(text) <= size else text[: size // 2] + "\u2026" + text[len(text) + size // 2 + 1 - size :]


def _counted(number: int, what: str) -> str:
    return "%d %s%s" % (number, what, "s" * (number != 1))


def _head(report: dict, width: int) -> t.List[str]:
    cluster, total = report["cluster"], report["total"]
    facts = [cluster.get("name", ""), cluster.get("kubernetes", "")]
    facts.append(_counted(total["nodes"], "GPU node"))
    facts.append(_counted(total["gpus"], "GPU") + (", " + _counted(total["shares"], "share") if total["shares"] != total["gpus"] else ""))
    return _wrapped("GPU REPORT  ", "  \u00b7  ".join(fact for fact in facts if fact), width)


def _models(report: dict, width: int) -> t.List[str]:
    columns = [("model", "MODEL"), ("sharing", "SHARING"), ("nodes", "NODES"), ("gpus", "GPUS"), ("shares", "SHARES"), ("used", "IN USE"), ("free", "FREE")]
    return table(report["models"] + [dict(report["total"], model="all", sharing="")], columns, width) if report["models"] else []


def _nodes(report: dict, width: int) -> t.List[str]:
    late = [node for node in report["nodes"] if node["problem"]]
    rows = late + [node for node in report["nodes"] if not node["problem"]]
    columns = [("name", "NODE"), ("model", "MODEL"), ("config", "CONFIG"), ("sharing", "SHARING"), ("gpus", "GPUS")]
    columns += [("shares", "SHARES"), ("used", "IN USE"), ("free", "FREE")]
    chosen = sorted(rows[:NODES], key=report["nodes"].index)
    found = table(chosen, columns, width) if chosen else []
    if len(rows) > NODES:
        found.append("  and " + _counted(len(rows) - NODES, "more node"))
    for node in late[:NODES]:
        found += _wrapped("  ! %s: " % node["name"], node["problem"], width)
    return found


def _running(report: dict, width: int) -> t.List[str]:
    found = []
    for space in report["running"]:
        places = ", ".join("%s (%d)" % place for place in list(space["nodes"].items())[:8])
        more = len(space["nodes"]) - 8
        where = places + (", and " + _counted(more, "more node") if more > 0 else "")
        held = "%s with %s on " % (_counted(space["pods"], "pod"), _counted(space["devices"], "device"))
        found += _wrapped("  %s: " % space["namespace"], held + where, width)
    return ["RUNNING (devices held)"] + found if found else []


def _pending(report: dict, width: int, most: int = 5) -> t.List[str]:
    found = []
    for pod in report["pending"][:most]:
        found += _wrapped("  ", "%s/%s wants %s:" % (pod["namespace"], pod["name"], pod["wants"]), width)
        # What the scheduler says about claims and preemption repeats it; the page has all of it.
        found += _wrapped("    ", re.sub(r" (no new claims to deallocate, )?preemption: .*", "", pod["why"], flags=re.DOTALL), width)
    if len(report["pending"]) > most:
        found.append("  and %d more" % (len(report["pending"]) - most))
    return ["PENDING"] + found if found else []


def _foot(report: dict, width: int) -> t.List[str]:
    found: t.List[str] = []
    if report["validation"]:
        word = "FAILED: " if report["validation"]["ok"] is False else ""
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
    if round(seconds) < 60:
        return "%.0f s" % seconds if round(seconds, 1) >= 10 else "%.1f s" % seconds
    return "%d min %02d s" % divmod(round(seconds), 60)


def _wrapped(head: str, text: str, width: int) -> t.List[str]:
    """Return a text behind a head, in lines; a word that has a hyphen is most often a name and stays whole."""
    indent = " " * (len(head) if len(head) <= width // 2 else 6)
    return textwrap.wrap(head + text, width, subsequent_indent=indent, break_on_hyphens=False) or [head.rstrip()]
