# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""The report as one HTML page that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

import html
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.report.text import duration

STYLE = """
:root { color-scheme: light dark; --ground: #f6f7f9; --card: #ffffff; --ink: #1b2430; --soft: #5a6675; --line: #dde2e8;
  --mark: #2f6f2a; --used: #3f7fbf; --rest: #dfe5ec; --bad: #b3261e; --badground: #fdeceb; --note: #6b4e00; --noteground: #fff5d9; }
@media (prefers-color-scheme: dark) { :root { --ground: #12161c; --card: #1b212a; --ink: #e6eaf0; --soft: #a2adba; --line: #313a46;
  --mark: #8fce7f; --used: #6aa9e6; --rest: #323c48; --bad: #ff9d94; --badground: #3a201f; --note: #f2cf73; --noteground: #352c14; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header { max-width: 1160px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 32px; }
h1 { font-size: 1.7rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 0 0 12px; }
.facts { color: var(--soft); margin: 2px 0 0; }
section, .tiles { margin: 20px 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 18px 20px; overflow-x: auto; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; padding: 0; list-style: none; }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; }
.tiles b { display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--soft); padding-bottom: 8px; }
th, td { text-align: left; padding: 6px 14px 6px 0; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; color: var(--soft); font-weight: 600; font-size: .85rem; white-space: nowrap; }
tbody th { font-weight: 600; white-space: nowrap; }
td { white-space: nowrap; }
td:last-child { white-space: normal; }
section > :last-child { margin-bottom: 0; }
.num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tfoot th, tfoot td { border-top: 2px solid var(--line); font-weight: 600; }
.bar { display: inline-block; width: 110px; height: 9px; border-radius: 5px; background: var(--rest); overflow: hidden; vertical-align: middle; }
.bar i { display: block; height: 100%; background: var(--used); }
.wide { width: 420px; max-width: 40vw; }
.steps table { width: auto; }
.note { background: var(--noteground); color: var(--note); border-color: transparent; }
.bad { color: var(--bad); }
.pending { background: var(--badground); border-radius: 8px; padding: 10px 14px; margin: 0 0 10px; }
.pending p { margin: 0; }
.ok { color: var(--mark); }
.tag { display: inline-block; border: 1px solid var(--line); border-radius: 6px; padding: 0 7px; font-size: .85rem; white-space: nowrap; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .92em; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 20px; }
.columns h3 { font-size: .95rem; margin: 0 0 6px; }
.columns ul { margin: 0; padding-left: 18px; }
footer { color: var(--soft); max-width: 1160px; margin: 0 auto; padding: 0 20px 40px; font-size: .9rem; }
@media print { body { background: #fff; } section, .tiles li { break-inside: avoid; } }
"""


class Markup(str):
    """Text that is HTML already."""


def tag(name: str, *children: t.Any, **attributes: t.Any) -> Markup:
    """Return an element; whatever is not Markup is escaped."""
    given = "".join(' %s="%s"' % (key.rstrip("_").replace("_", "-"), html.escape(str(value), quote=True)) for key, value in attributes.items())
    inner = "".join(child if isinstance(child, Markup) else html.escape(_shown(child), quote=False) for child in children)
    return Markup("<%s%s>%s</%s>" % (name, given, inner, name))


def join(parts: t.Iterable[str]) -> Markup:
    return Markup("".join(parts))


def _shown(value: t.Any) -> str:
    return "?" if value is None else str(value)


def page(report: dict, generated: str, digest: str) -> str:
    """Return the whole page."""
    cluster = report["cluster"]
    title = "GPU report: %s" % cluster.get("name", "")
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head = tag("head", Markup(meta), Markup('<meta name="gpuops-digest" content="%s">' % digest), tag("title", title), tag("style", Markup(STYLE)))
    facts = [cluster.get("kubernetes", ""), cluster.get("server", ""), cluster.get("context", ""), generated]
    header = tag("header", tag("h1", title), tag("p", " \u00b7 ".join(fact for fact in facts if fact), class_="facts"))
    parts = [_banner, _tiles, _pending, _models, _nodes, _running, _validation, _steps, _proofs]
    body = tag("body", header, tag("main", join(part(report) for part in parts)), tag("footer", "Made by gpuops.kubernetes."))
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en") + "\n"


def _banner(report: dict) -> Markup:
    if not report["simulated"]:
        return Markup("")
    counts = (report["simulated"], report["total"]["nodes"], "s" * (report["total"]["nodes"] != 1), "is" if report["simulated"] == 1 else "are")
    text = "%d of the %d GPU node%s below %s simulated." % counts
    return tag("section", tag("strong", "A rehearsal. "), text + " " + report["rehearsal"].get("summary", ""), class_="note")


def _tiles(report: dict) -> Markup:
    total = report["total"]
    tiles = [("GPU nodes", total["nodes"]), ("physical GPUs", total["gpus"]), ("shares advertised", total["shares"])]
    tiles += [("in use", total["used"]), ("free", total["free"]), ("pods pending", len(report["pending"]))]
    return tag("ul", join(tag("li", tag("b", count), tag("span", text)) for text, count in tiles), class_="tiles")


def _pending(report: dict) -> Markup:
    if not report["pending"]:
        return Markup("")
    cards = []
    for pod in report["pending"]:
        name = tag("p", tag("code", "%s/%s" % (pod["namespace"], pod["name"])), " wants ", tag("code", pod["wants"]), class_="bad")
        cards.append(tag("div", name, tag("p", tag("strong", pod["reason"], ": "), pod["why"]), class_="pending"))
    return tag("section", tag("h2", "Pending, in the scheduler's own words"), join(cards))


def _grid(caption: str, columns: t.Sequence[str], rows: t.Iterable[t.Sequence[t.Any]], numbers: t.Container[int], foot: t.Sequence[t.Any] = ()) -> Markup:
    def cell(index: int, value: t.Any, name: str = "td", **attributes: str) -> Markup:
        return tag(name, value, **dict(attributes, **({"class_": "num"} if index in numbers else {})))

    def row(values: t.Sequence[t.Any]) -> Markup:
        return tag("tr", join(cell(i, value, "td" if i else "th", **({} if i else {"scope": "row"})) for i, value in enumerate(values)))

    head = tag("thead", tag("tr", join(cell(i, text, "th", scope="col") for i, text in enumerate(columns))))
    below = tag("tfoot", row(foot)) if foot else Markup("")
    return tag("table", tag("caption", caption), head, tag("tbody", join(row(values) for values in rows)), below)


def _bar(part: float, whole: float, class_: str = "bar") -> Markup:
    width = 100.0 * min(max(part, 0), whole) / whole if whole else 0.0
    return tag("span", tag("i", style="width:%.1f%%" % width), class_=class_, aria_hidden="true")


def _models(report: dict) -> Markup:
    def row(one: dict, name: str) -> t.List[t.Any]:
        return [name, one.get("sharing", ""), one["nodes"], one["gpus"], one["shares"], one["used"], one["free"], _bar(one["used"], one["shares"])]

    columns = ["Model", "Sharing", "Nodes", "GPUs before sharing", "Shares after", "In use", "Free", "Load"]
    rows = [row(one, one["model"]) for one in report["models"]]
    caption = "Physical GPUs, and what the nodes advertise now that they are shared"
    return tag("section", tag("h2", "By model"), _grid(caption, columns, rows, range(2, 7), row(report["total"], "All")))


def _nodes(report: dict) -> Markup:
    columns = ["Node", "Model", "Configuration", "Sharing", "GPUs", "Shares", "In use", "Free", "Load", "State"]
    rows = []
    for node in report["nodes"]:
        held = [(name.replace("nvidia.com/", ""), count) for name, count in sorted(node["resources"].items()) if count]
        resources = join(tag("div", "%s\u00a0" % count, tag("code", name)) for name, count in held)
        config = tag("span", node["config"], class_="tag") if node["config"] else ""
        state = tag("span", node["problem"], class_="bad") if node["problem"] else tag("span", "ready", class_="ok")
        load = _bar(node["used"], node["shares"])
        rows.append([node["name"], node["model"], config, node["sharing"], node["gpus"], resources, node["used"], node["free"], load, state])
    caption = "GPUs is what is built in, shares is what the node advertises (below nvidia.com/)"
    return tag("section", tag("h2", "By node"), _grid(caption, columns, rows, (4, 5, 6, 7)))


def _running(report: dict) -> Markup:
    if not report["running"]:
        return Markup("")
    rows = []
    for space in report["running"]:
        places = join(Markup(tag("span", "%s \u00d7 %d" % place, class_="tag") + " ") for place in space["nodes"].items())
        rows.append([space["namespace"], space["pods"], space["devices"], places])
    return tag("section", tag("h2", "Who runs where"), _grid("Devices held, by namespace and node", ["Namespace", "Pods", "Devices", "Nodes"], rows, (1, 2)))


def _validation(report: dict) -> Markup:
    validation = report["validation"]
    if not validation:
        return Markup("")
    word, class_ = {None: ("Not run. ", "facts"), True: ("Passed. ", "ok"), False: ("Failed. ", "bad")}[validation["ok"]]
    lines = [tag("p", tag("strong", word, class_=class_), validation["summary"])]
    if validation["pending"]:
        lines.append(tag("p", "One pod too many stays Pending: ", tag("em", validation["pending"])))
    for pod in validation["failed"]:
        place = " on " + pod["node"] if pod.get("node") else ""
        lines.append(tag("p", tag("code", pod.get("name", "")), place, ": ", pod.get("reason") or "", " ", pod.get("message") or ""))
    lines += [tag("p", "Not tested: ", tag("code", node.get("node", "")), ", ", node.get("reason", "")) for node in validation["skipped"]]
    return tag("section", tag("h2", "Validation"), join(lines))


def _steps(report: dict) -> Markup:
    if not report["steps"]:
        return Markup("")
    longest = max(step["seconds"] for step in report["steps"])
    rows = [[step["step"], duration(step["seconds"]), _bar(step["seconds"], longest, "bar wide")] for step in report["steps"]]
    whole = ["All", duration(sum(step["seconds"] for step in report["steps"])), ""]
    return tag("section", tag("h2", "How long each step took"), _grid("", ["Step", "Time", ""], rows, (1,), whole), class_="steps")


def _proofs(report: dict) -> Markup:
    titles = [("real", "Proved by real software"), ("double", "Answered by a double"), ("unproved", "Not proved here")]
    columns = []
    for key, title in titles:
        entries = report["rehearsal"].get(key) or []
        if entries:
            columns.append(tag("div", tag("h3", title), tag("ul", join(tag("li", entry) for entry in entries))))
    return tag("section", tag("h2", "What this rehearsal proves"), tag("div", join(columns), class_="columns")) if columns else Markup("")
