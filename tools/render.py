# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render defaults/main.yml and the tables in README.md of each role from its meta/argument_specs.yml, and the lists in README.md.

    render.py [ROLE...]           write them; with names, those of these roles only
    render.py --check [ROLE...]   write nothing; say where they differ from the specification, by value, and exit 1
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
import typing as t
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))

import contents  # noqa: E402  pylint: disable=wrong-import-position

ROOT = Path(__file__).resolve().parent.parent
BEGIN = "<!-- rendered from meta/argument_specs.yml by tools/render.py: begin -->"
END = "<!-- rendered: end -->"
HEADING = "| Variable | Type | Default | Description |"
ENTRY_POINTS = ("preflight", "main", "verify", "uninstall")
WIDTH = 150


class RenderError(Exception):
    """A specification that cannot be rendered."""


class Row(t.NamedTuple):
    """One line of the table of variables, as text."""

    name: str
    kind: str
    default: str
    description: str


class _Dumper(yaml.SafeDumper):
    """YAML as ansible-lint wants it: lists indented, double quotes, no anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: t.Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if "\n" in text:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    if len(text) > WIDTH - 30 and text == " ".join(text.split()):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=">")
    # A plain scalar where it reads back as the same text, double quotes everywhere else.
    plain = text and yaml.safe_load(yaml.safe_dump(text, width=10**6).split("\n", 1)[0]) == text and not yaml.safe_dump(text)[0] in "'\""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _represent_text)


def options_of(specification: t.Mapping[str, t.Any]) -> t.Dict[str, t.Dict[str, t.Any]]:
    """Return the options of all entry points in their order, main first; the same name must mean the same everywhere."""
    entries = specification.get("argument_specs") or {}
    found: t.Dict[str, t.Dict[str, t.Any]] = {}
    for entry in sorted(entries, key=lambda name: name != "main"):
        for name, option in ((entries[entry] or {}).get("options") or {}).items():
            if found.setdefault(name, option) != option:
                raise RenderError(f"{name}: entry point {entry} describes it differently from another one")
    return found


def defaults_of(specification: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """Return the values that defaults/main.yml has to hold."""
    return {name: option["default"] for name, option in options_of(specification).items() if "default" in option}


def paragraphs(description: t.Any) -> t.List[str]:
    """Return a description, which may be one text or a list, as texts on one line each."""
    return [" ".join(str(text).split()) for text in (description if isinstance(description, list) else [description or ""])]


def first_sentence(description: t.Any) -> str:
    """Return the first sentence, without markup."""
    sentence = re.split(r"(?<=[.!?])\s+(?=[A-Z])", paragraphs(description)[0])[0]
    return re.sub(r"\b(?:[BCIMOVEU]|RV)\(([^()]*)\)", r"\1", sentence)


def markdown(text: str) -> str:
    """Turn Ansible's markup into Markdown that is safe in a table."""
    text = re.sub(r"\b(?:[CMOVE]|RV)\(([^()]*)\)", r"`\1`", text)
    text = re.sub(r"\bB\(([^()]*)\)", r"**\1**", text)
    text = re.sub(r"\b[IU]\(([^()]*)\)", r"*\1*", text)
    return text.replace("|", r"\|")


def render_defaults(specification: t.Mapping[str, t.Any]) -> str:
    """Return defaults/main.yml."""
    options = options_of(specification)
    required = [name for name, option in options.items() if option.get("required")]
    lines = ["---", "# Rendered from meta/argument_specs.yml by tools/render.py: change it there."]
    if required:
        lines.append(f"# Without a default, required: {', '.join(required)}")
    for name, value in defaults_of(specification).items():
        lines += ["", f"# {first_sentence(options[name].get('description'))}"]
        lines.append(yaml.dump({name: value}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH).rstrip("\n"))
    if not defaults_of(specification):
        lines += ["", "{}"]
    return "\n".join(lines) + "\n"


def rows_of(options: t.Mapping[str, t.Mapping[str, t.Any]], prefix: str = "") -> t.Iterator[Row]:
    """Yield a row for each variable, and for each field of a nested one below it."""
    for name, option in options.items():
        kind = option.get("type", "str")
        if "elements" in option:
            kind += f" of {option['elements']}"
        description = " ".join(markdown(text) for text in paragraphs(option.get("description")))
        if option.get("choices"):
            description += " One of " + ", ".join(f"`{json.dumps(choice).strip(chr(34))}`" for choice in option["choices"]) + "."
        yield Row(prefix + name, kind, default_cell(option), description)
        if option.get("options"):
            yield from rows_of(option["options"], prefix + name + ("[]." if option.get("type") == "list" else "."))


def default_cell(option: t.Mapping[str, t.Any]) -> str:
    """Return how a default is shown."""
    if "default" not in option:
        return "required" if option.get("required") else ""
    value = option["default"]
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return "`" + " ".join(text.split()).replace("|", r"\|") + "`"


def render_readme_part(specification: t.Mapping[str, t.Any]) -> str:
    """Return what stands between the markers of README.md."""
    entries = specification["argument_specs"]
    order = [name for name in ENTRY_POINTS if name in entries] + sorted(set(entries) - set(ENTRY_POINTS))
    lines = [BEGIN, "", "| Entry point | What it does |", "| --- | --- |"]
    for name in order:
        text = " ".join(markdown(part) for part in paragraphs(entries[name].get("description") or entries[name].get("short_description")))
        lines.append(f"| `{name}` | {text} |")
    lines += ["", HEADING, "| --- | --- | --- | --- |"]
    lines += [f"| `{row.name}` | {row.kind} | {row.default} | {row.description} |" for row in rows_of(options_of(specification))]
    return "\n".join([*lines, "", END])


def new_readme(role: str, specification: t.Mapping[str, t.Any]) -> str:
    """Return a README.md for a role that has none."""
    main = specification["argument_specs"].get("main") or {}
    text = "\n\n".join(markdown(part) for part in paragraphs(main.get("description")))
    return f"# gpuops.kubernetes.{role}\n\n{main.get('short_description', '')}.\n\n{text}\n\n{BEGIN}\n{END}\n"


def insert(readme: str, part: str, begin: str = BEGIN, end: str = END) -> str:
    """Return the README with a new part between its markers."""
    if readme.count(begin) != 1 or readme.count(end) != 1 or readme.index(begin) > readme.index(end):
        raise RenderError(f"README.md needs these two lines, once each: {begin} and {end}")
    return readme[:readme.index(begin)] + part + readme[readme.index(end) + len(end):]


def defaults_differences(specification: t.Mapping[str, t.Any], text: str) -> t.List[str]:
    """Say where defaults/main.yml has other values than the specification."""
    return compare(defaults_of(specification), yaml.safe_load(text) or {}, "defaults/main.yml")


def readme_differences(specification: t.Mapping[str, t.Any], text: str) -> t.List[str]:
    """Say where the tables in README.md say something else than the specification."""
    try:
        insert(text, "")
    except RenderError as error:
        return [str(error)]
    part = text[text.index(BEGIN):text.index(END)]
    return compare(cells(render_readme_part(specification)), cells(part), "README.md")


def cells(part: str) -> t.Dict[str, t.List[str]]:
    """Return the cells of all rows of Markdown tables by their first cell, without regard to spaces."""
    rows = {}
    for line in part.splitlines():
        if line.startswith("|") and not line.startswith("| ---"):
            first, *others = [" ".join(cell.split()) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            rows[first] = others
    return rows


def same(one: t.Any, other: t.Any) -> bool:
    """Return whether two values are equal and of equal types throughout: true is not 1, and 1 is not 1.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def compare(wanted: t.Mapping[str, t.Any], found: t.Mapping[str, t.Any], where: str) -> t.List[str]:
    """Name every difference of two maps."""
    differences = [f"{where}: {name} is missing" for name in wanted if name not in found]
    differences += [f"{where}: {name} is not in the specification" for name in found if name not in wanted]
    for name in wanted:
        if name in found and not same(wanted[name], found[name]):
            differences.append(f"{where}: {name} is {found[name]!r}, and {wanted[name]!r} in the specification")
    return differences


def check(role: Path) -> t.List[str]:
    """Return all differences of a role's files."""
    specification = read_specification(role)
    differences = []
    for name, differ in (("defaults/main.yml", defaults_differences), ("README.md", readme_differences)):
        path = role / name
        differences += differ(specification, path.read_text(encoding="utf-8")) if path.exists() else [f"{name}: there is no such file"]
    return [f"roles/{role.name}/{difference}" for difference in differences]


def write(role: Path) -> None:
    """Write a role's files."""
    specification = read_specification(role)
    readme = role / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else new_readme(role.name, specification)
    readme.write_text(insert(text, render_readme_part(specification)), encoding="utf-8")
    (role / "defaults").mkdir(exist_ok=True)
    (role / "defaults" / "main.yml").write_text(render_defaults(specification), encoding="utf-8")


def check_contents() -> t.List[str]:
    """Return all differences of the lists in the collection's README.md."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    insert(text, "", contents.BEGIN, contents.END)
    found = text[text.index(contents.BEGIN):text.index(contents.END)]
    return compare(cells(contents.render(ROOT)), cells(found), "README.md")


def write_contents() -> None:
    """Write the lists in the collection's README.md."""
    readme = ROOT / "README.md"
    readme.write_text(insert(readme.read_text(encoding="utf-8"), contents.render(ROOT), contents.BEGIN, contents.END), encoding="utf-8")


def read_specification(role: Path) -> t.Dict[str, t.Any]:
    """Read a role's meta/argument_specs.yml."""
    return yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))


def main(arguments: t.Sequence[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing and name the differences")
    parser.add_argument("roles", nargs="*", metavar="ROLE", help="names of roles; none means all")
    options = parser.parse_args(arguments)
    roles = [ROOT / "roles" / name for name in options.roles] or sorted(path.parent.parent for path in ROOT.glob("roles/*/meta/argument_specs.yml"))
    jobs = [(f"roles/{role.name}", functools.partial(check, role), functools.partial(write, role)) for role in roles]
    if not options.roles:
        jobs.append(("README.md", check_contents, write_contents))
    status = 0
    for name, checking, writing in jobs:
        try:
            differences = checking() if options.check else writing()
        except (RenderError, OSError, KeyError, yaml.YAMLError) as error:
            differences = [f"{name}: {error}"]
        for difference in differences or ():
            print(difference)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
