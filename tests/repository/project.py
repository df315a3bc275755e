# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the repository holds, as the tests beside this file look at it."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import yaml

from tools import sanity

ROOT = Path(__file__).resolve().parent.parent.parent
COLLECTION = "gpuops.kubernetes"
ENTRY_POINTS = ("preflight", "main", "verify", "uninstall")
# Keywords of a task which hold tasks.
BLOCKS = ("block", "rescue", "always")


def files(*patterns: str) -> t.List[Path]:
    """Return the files of the checkout that match, as paths from its root; a star in a pattern also covers slashes."""
    paths = [Path(name) for name in sanity.checkout_files(ROOT)]
    return [path for path in paths if (ROOT / path).is_file() and any(path.match(pattern) for pattern in patterns)]


def below(directory: str, suffix: str) -> t.List[Path]:
    """Return the files of the checkout below a directory."""
    return [path for path in files(f"*{suffix}") if path.as_posix().startswith(directory + "/")]


def text(path: Path) -> str:
    """Return a file's text."""
    return (ROOT / path).read_text(encoding="utf-8")


def names(paths: t.Iterable[Path]) -> t.List[str]:
    """Return paths as texts, to name test cases with."""
    return [path.as_posix() for path in paths]


def roles() -> t.List[str]:
    """Return the names of all roles."""
    return sorted({path.parts[1] for path in below("roles", "")})


def modules() -> t.List[Path]:
    """Return the files of all modules."""
    return below("plugins/modules", ".py")


def string_of(path: Path, name: str) -> str:
    """Return a string constant, such as DOCUMENTATION, of a Python file without running it; empty where it has none."""
    for node in ast.parse(text(path)).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name and isinstance(node.value, ast.Constant):
            return str(node.value.value)
    return ""


def documentation(path: Path) -> t.Dict[str, t.Any]:
    """Return a module's documentation as it is written there, without its fragments."""
    return yaml.safe_load(string_of(path, "DOCUMENTATION"))


def imported_names(path: Path) -> t.Iterator[str]:
    """Yield the full name of everything that a Python file imports, wherever in the file."""
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def tasks_of(document: t.Any) -> t.Iterator[t.Dict[str, t.Any]]:
    """Yield every task of a playbook or of a list of tasks, those in blocks too."""
    for item in document if isinstance(document, list) else []:
        holders = ("pre_tasks", "tasks", "post_tasks", "handlers") if isinstance(item, dict) and ("hosts" in item or "import_playbook" in item) else None
        if holders:
            for holder in holders:
                yield from tasks_of(item.get(holder))
        elif isinstance(item, dict):
            yield item
            for block in BLOCKS:
                yield from tasks_of(item.get(block))


def task_files() -> t.List[Path]:
    """Return every file of ours with tasks."""
    found = [path for path in below("roles", ".yml") if path.parts[2] in ("tasks", "handlers")]
    found += [path for path in below("molecule", ".yml") if path.name not in ("molecule.yml", "requirements.yml") and "group_vars" not in path.parts]
    return found + below("playbooks", ".yml")
