# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists in the collection's README.md of what it contains, from the plugins' and roles' own documentation."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import yaml

BEGIN = "<!-- rendered by tools/render.py from the documentation of plugins and roles: begin -->"
END = "<!-- rendered: end -->"

Rows = t.List[t.Tuple[str, str]]


def modules(root: Path) -> Rows:
    """Return name and purpose of each module, read without running it."""
    rows = []
    for path in sorted(root.glob("plugins/modules/*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
                rows.append((path.stem, yaml.safe_load(ast.literal_eval(node.value))["short_description"]))
    return rows


def roles(root: Path) -> Rows:
    """Return name and purpose of each role."""
    paths = sorted(root.glob("roles/*/meta/argument_specs.yml"))
    return [(path.parent.parent.name, load(path)["argument_specs"]["main"]["short_description"]) for path in paths]


def playbooks(root: Path) -> Rows:
    """Return name and purpose of each playbook: the comment that it starts with."""
    paths = sorted(root.glob("playbooks/*.yml"))
    return [(path.stem, path.read_text(encoding="utf-8").splitlines()[1].lstrip("# ")) for path in paths]


def filters(root: Path) -> Rows:
    """Return name and purpose of each filter."""
    return [(path.stem, load(path)["DOCUMENTATION"]["short_description"]) for path in sorted(root.glob("plugins/filter/*.yml"))]


def load(path: Path) -> t.Any:
    """Read a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def render(root: Path) -> str:
    """Return what stands between the markers of README.md."""
    lines = [BEGIN]
    for heading, rows in (("Playbook", playbooks(root)), ("Role", roles(root)), ("Module", modules(root)), ("Filter", filters(root))):
        lines += ["", f"| {heading} | What it does |", "| --- | --- |"]
        lines += [f"| `{name}` | {purpose} |" for name, purpose in rows]
    return "\n".join([*lines, "", END])
