# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.hosts import machine, probe, snapshots


@pytest.mark.parametrize(("before", "after", "lines"), [
    ({}, {}, []),
    ({"file": {"/a": "x"}}, {"file": {"/a": "x"}}, []),
    ({"file": {"/a": "x"}}, {"file": {"/a": "y"}}, ["file /a: changed: x => y"]),
    ({"file": {"/a": "x"}}, {"file": {}}, ["file /a: removed: x"]),
    ({"file": {"/a": "x"}}, {}, ["file /a: removed: x"]),
    ({"port": {}}, {"file": {"/b": "y", "/a": "x"}, "port": {"tcp :1": "p"}}, ["file /a: added: x", "file /b: added: y", "port tcp :1: added: p"]),
])
def test_every_difference_is_one_line(before, after, lines):
    assert snapshots.differences(before, after) == lines


def test_snapshot_is_read_as_it_was_written(tmp_path):
    snapshot = {"file": {"/ä": "x"}, "port": {}}
    snapshots.save(snapshot, tmp_path / "s.json")
    assert snapshots.load(tmp_path / "s.json") == snapshot


@pytest.mark.parametrize("text", [None, "no json"])
def test_file_that_is_no_snapshot_is_refused(tmp_path, text):
    path = tmp_path / "s.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(machine.HostError, match="s.json is no snapshot"):
        snapshots.load(path)


def test_all_that_is_left_out_has_a_reason():
    assert [pattern for patterns in snapshots.LEFT_OUT.values() for pattern, reason in patterns.items() if not reason] == []


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "kept").mkdir(mode=0o750)
    (tmp_path / "kept" / "file").write_text("text", encoding="utf-8")
    (tmp_path / "kept" / "file").chmod(0o4711)
    (tmp_path / "kept" / "link").symlink_to("/nowhere")
    os.mkfifo(tmp_path / "kept" / "fifo", 0o600)
    (tmp_path / "kept" / "cache").mkdir()
    (tmp_path / "kept" / "cache" / "below").touch()
    return tmp_path


def test_files_are_told_by_kind_mode_owner_and_content(tree):
    found = {os.path.relpath(path, tree): text for path, text in probe.files([str(tree), str(tree / "missing")], [str(tree) + "/*/cache"]).items()}
    owner = probe.owner(os.stat(tree))
    assert found == {
        "kept": "directory 0750 " + owner,
        "kept/file": "file 4711 %s 4 bytes, sha256 982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1" % owner,
        "kept/link": "link 0777 %s -> /nowhere" % owner,
        "kept/fifo": "fifo 0600 " + owner,
    }


def test_file_that_is_written_again_is_the_same(tree):
    before = probe.files([str(tree)], [])
    path = tree / "kept" / "file"
    path.unlink()
    path.write_text("text", encoding="utf-8")
    path.chmod(0o4711)
    assert probe.files([str(tree)], []) == before


def test_rules_are_told_with_table_and_chain_and_how_often(monkeypatch):
    printed = "table inet f {\n\tset s {\n\t\ttype ipv4_addr\n\t}\n\n\tchain c {\n\t\ttcp dport 1 accept\n\t\ttcp dport 1 accept\n\t}\n}\ntable ip g {\n}"
    monkeypatch.setattr(probe, "output", lambda *_words: printed.splitlines())
    assert probe.firewall() == {
        "table inet f": "there", "table inet f / set s": "there", "table inet f / set s / type ipv4_addr": "there", "table inet f / chain c": "there",
        "table inet f / chain c / tcp dport 1 accept": "there and there", "table ip g": "there",
    }


def test_ports_are_told_with_their_programs(monkeypatch):
    printed = ['tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=45,fd=3),("sshd",pid=46,fd=3))', "udp UNCONN 0 0 [::]:53 [::]:*"]
    monkeypatch.setattr(probe, "output", lambda *_words: printed)
    assert probe.listeners() == {"tcp 0.0.0.0:22": "sshd", "udp [::]:53": ""}


def test_program_that_is_missing_or_fails_says_nothing():
    assert probe.output("no-such-program") == []
    assert probe.output("sh", "-c", "echo a; echo b; exit 1") == ["a", "b"]


def test_look_at_this_machine_has_every_category_that_something_is_left_out_of(tmp_path):
    arguments = {"roots": [str(tmp_path)], "names_in": [str(tmp_path)], "sysctls": ["kernel/ostype", "no/such"], "left_out": {
        category: [] for category in snapshots.LEFT_OUT}}
    done = subprocess.run([sys.executable, probe.__file__, json.dumps(arguments)], stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    assert set(snapshots.LEFT_OUT) <= set(found)
    assert {text for names in found.values() for text in names.values() if not isinstance(text, str)} == set()
    assert found["mount"]["/proc"] == "proc"
