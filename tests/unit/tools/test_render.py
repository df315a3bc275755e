# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
import yaml

from tools import render

SPECIFICATION = yaml.safe_load("""
argument_specs:
  main:
    short_description: Share things
    description:
      - Shares things. Twice.
      - And reads O(x_name).
    options:
      x_name:
        description: V(a|b) names it. It is long.
        type: str
        required: true
      x_path:
        description: A path.
        type: path
        default: "{{ other | default('gone', true) }}"
      x_version:
        description: [The version., Never a number.]
        default: "1.10"
      x_items:
        description: Items.
        type: list
        elements: dict
        default:
          - name: one
            shared: true
        options:
          name:
            description: Name.
            required: true
          kind:
            description: Kind.
            choices: [big, small]
            default: big
      x_number:
        description: A number.
        type: int
        default: 1
      x_optional:
        description: No default, not required.
        type: dict
  verify:
    short_description: Check things
    options:
      x_wait:
        description: Whether to wait.
        type: bool
        default: false
  preflight:
    short_description: Look first
""")


def test_defaults_read_back_as_the_values_of_all_entry_points():
    assert yaml.safe_load(render.render_defaults(SPECIFICATION)) == {
        "x_path": "{{ other | default('gone', true) }}",
        "x_version": "1.10",
        "x_items": [{"name": "one", "shared": True}],
        "x_number": 1,
        "x_wait": False,
    }


def test_defaults_keep_the_order_and_say_what_each_is():
    text = render.render_defaults(SPECIFICATION)
    assert [line.partition(":")[0] for line in text.splitlines() if line.startswith("x_")] == ["x_path", "x_version", "x_items", "x_number", "x_wait"]
    assert "# The version.\nx_version:" in text
    assert "# Without a default, required: x_name" in text


@pytest.mark.parametrize("value", [
    "", "yes", "null", "0x10", "1e3", "2026-01-01", " padded ", "a: b", "# no comment", "two\nlines\n", "long " * 60 + "end", "{{ '%s' | x }}", "ä", True,
    None, 1.5, [], {}, ["a", ["b"]], {"k": {"l": []}},
])
def test_every_value_reads_back_as_it_was(value):
    specification = {"argument_specs": {"main": {"options": {"x": {"description": "A value.", "default": value}}}}}
    text = render.render_defaults(specification)
    assert render.defaults_differences(specification, text) == []
    assert max(map(len, text.splitlines())) <= 160


def test_role_without_any_default_still_gets_a_file():
    specification = {"argument_specs": {"main": {"options": {"x": {"required": True}}}}}
    assert yaml.safe_load(render.render_defaults(specification)) == {}


@pytest.mark.parametrize(("description", "sentence"), [
    ("One. Two.", "One."),
    ("Version 3.8 or newer. Two.", "Version 3.8 or newer."),
    ("V(one) of O(two) and RV(three). More.", "one of two and three."),
    ("Whether. V(true) means yes.", "Whether."),
    (["First\n  line.", "Second."], "First line."),
    (None, ""),
])
def test_first_sentence(description, sentence):
    assert render.first_sentence(description) == sentence


def test_readme_table_has_a_row_for_each_variable_and_nested_field():
    rows = render.cells(render.render_readme_part(SPECIFICATION))
    assert rows["`x_name`"] == ["str", "required", r"`a\|b` names it. It is long."]
    assert rows["`x_path`"][1] == r"`{{ other \| default('gone', true) }}`"
    assert rows["`x_items[].kind`"] == ["str", "`big`", "Kind. One of `big`, `small`."]
    assert rows["`x_optional`"] == ["dict", "", "No default, not required."]
    assert rows["`main`"] == ["Shares things. Twice. And reads `x_name`."]


def test_new_readme_is_completed_and_then_equal():
    text = render.insert(render.new_readme("x", SPECIFICATION), render.render_readme_part(SPECIFICATION))
    assert text.startswith("# gpuops.kubernetes.x\n\nShare things.\n")
    assert render.readme_differences(SPECIFICATION, text) == []
    assert render.insert(text, render.render_readme_part(SPECIFICATION)) == text


def test_what_people_wrote_around_the_markers_stays():
    text = f"# Mine\n\n{render.BEGIN}\nold\n{render.END}\n\n## Also mine\n"
    assert render.insert(text, "new") == "# Mine\n\nnew\n\n## Also mine\n"


@pytest.mark.parametrize("text", ["# nothing", render.BEGIN, f"{render.END}\n{render.BEGIN}", f"{render.BEGIN}{render.END}{render.BEGIN}{render.END}"])
def test_readme_without_usable_markers_is_named(text):
    (difference,) = render.readme_differences(SPECIFICATION, text)
    assert "README.md needs these two lines" in difference


@pytest.mark.parametrize(("text", "difference"), [
    ("x_path: a", "defaults/main.yml: x_version is missing"),
    ("x_own: 1", "defaults/main.yml: x_own is not in the specification"),
    ("x_version: 1.10", "defaults/main.yml: x_version is 1.1, and '1.10' in the specification"),
    ("x_number: true", "defaults/main.yml: x_number is True, and 1 in the specification"),
    ("x_number: 1.0", "defaults/main.yml: x_number is 1.0, and 1 in the specification"),
    ("", "defaults/main.yml: x_wait is missing"),
])
def test_difference_in_defaults_is_named_by_value(text, difference):
    assert difference in render.defaults_differences(SPECIFICATION, text)


def test_other_order_quotes_and_comments_are_no_difference():
    text = "# other\nx_wait: no\nx_number: 0x1\nx_items: [{shared: true, name: 'one'}]\nx_version: '1.10'\nx_path: \"{{ other | default('gone', true) }}\"\n"
    assert render.defaults_differences(SPECIFICATION, text) == []


def test_difference_in_the_readme_is_named():
    text = render.insert(render.new_readme("x", SPECIFICATION), render.render_readme_part(SPECIFICATION)).replace("| int | `1` |", "| int | `2` |")
    (difference,) = render.readme_differences(SPECIFICATION, text)
    assert difference == "README.md: `x_number` is ['int', '`2`', 'A number.'], and ['int', '`1`', 'A number.'] in the specification"


def test_two_entry_points_that_disagree_are_refused():
    specification = {"argument_specs": {"main": {"options": {"x": {"default": 1}}}, "verify": {"options": {"x": {"default": 2}}}}}
    with pytest.raises(render.RenderError, match="x: entry point verify"):
        render.defaults_of(specification)


@pytest.fixture(name="role")
def one_role(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "ROOT", tmp_path)
    (tmp_path / "roles" / "x" / "meta").mkdir(parents=True)
    (tmp_path / "roles" / "x" / "meta" / "argument_specs.yml").write_text(yaml.safe_dump(SPECIFICATION), encoding="utf-8")
    (tmp_path / "README.md").write_text(f"# Mine\n\n{render.contents.BEGIN}\n{render.contents.END}\n", encoding="utf-8")
    return tmp_path / "roles" / "x"


def test_command_writes_once_and_then_finds_nothing(role, capsys):
    assert render.main(["--check"]) == 1
    assert "roles/x/defaults/main.yml: there is no such file" in capsys.readouterr().out
    assert render.main([]) == 0
    assert render.main(["--check"]) == 0
    (role / "defaults" / "main.yml").write_text("x_number: 2\n", encoding="utf-8")
    assert render.main(["--check", "x"]) == 1
    assert "roles/x/defaults/main.yml: x_number is 2, and 1 in the specification" in capsys.readouterr().out


def test_command_ends_with_one_where_a_role_cannot_be_rendered(role, capsys):
    (role / "README.md").write_text("no markers\n", encoding="utf-8")
    assert render.main([]) == 1
    assert "roles/x: README.md needs these two lines" in capsys.readouterr().out


def test_lists_in_the_collections_readme_follow_what_is_there(role, capsys):
    root = role.parent.parent
    (root / "plugins" / "modules").mkdir(parents=True)
    (root / "plugins" / "modules" / "gpu_x.py").write_text('DOCUMENTATION = r"""\nshort_description: Read x\n"""\n', encoding="utf-8")
    assert render.main([]) == 0
    assert "| `x` | Share things |" in (root / "README.md").read_text(encoding="utf-8")
    (root / "playbooks").mkdir()
    (root / "playbooks" / "all.yml").write_text("---\n# All of it.\n- hosts: all\n", encoding="utf-8")
    assert render.main([]) == 0
    assert "| `all` | All of it. |" in (root / "README.md").read_text(encoding="utf-8")
    (root / "plugins" / "modules" / "gpu_y.py").write_text('DOCUMENTATION = r"""\nshort_description: Read y\n"""\n', encoding="utf-8")
    capsys.readouterr()
    assert render.main(["--check"]) == 1
    assert capsys.readouterr().out == "README.md: `gpu_y` is missing\n"
