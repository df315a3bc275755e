# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import os
import shlex
import subprocess
import tarfile
import threading

import pytest

from tests.hosts import __main__ as command_line
from tests.hosts import access, containers, images, lookalikes, machine, records, vms


@pytest.fixture(autouse=True)
def own_directories(monkeypatch, tmp_path):
    """Keep away from the hosts of whoever runs the tests."""
    monkeypatch.setenv("GPUOPS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("GPUOPS_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", ["a", "server-1", "x" * 40])
def test_name_that_works_everywhere_is_taken(name):
    assert records.check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "a/b", "a b", "../a", "x" * 41, "ä"])
def test_name_that_would_break_a_file_or_dns_is_refused(name):
    with pytest.raises(machine.HostError, match="40 lower case letters"):
        records.check_name(name)


HOST = records.Host("h1", "10.89.0.11", "image", records.Options(like="rocky-9", mounts=(("/a", "/b"),)), "ssh-ed25519 AAAA h1\n")


def test_record_is_read_as_it_was_written():
    assert records.save(HOST) == records.load("h1") == records.get("h1") == HOST
    assert records.names() == ["h1"]
    records.forget("h1")
    assert records.load("h1") is None
    with pytest.raises(machine.HostError, match="no host h1: those recorded are none"):
        records.get("h1")


def test_hardware_address_follows_the_address_and_belongs_to_no_vendor():
    assert HOST.hardware_address == "02:67:0a:59:00:0b"


def test_lock_is_taken_again_by_its_thread_and_waited_for_by_others(tmp_path):
    order = []

    def other():
        with machine.locked(tmp_path / "lock"):
            order.append("other")

    thread = threading.Thread(target=other)
    with machine.locked(tmp_path / "lock"), machine.locked(tmp_path / "lock"):
        thread.start()
        thread.join(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]


def test_command_that_fails_is_told_with_what_it_said():
    with pytest.raises(machine.HostError, match="sh -c echo no >&2; exit 3 ended with 3: no"):
        machine.run("sh", "-c", "echo no >&2; exit 3")
    assert machine.run("cat", input="text").stdout == "text"


@pytest.mark.parametrize(("user", "programs", "reason"), [
    (1000, {"sh": "dash"}, "test hosts need root"),
    (0, {"no-such-program": "no-package", "/no/such/file": "other"}, "missing, and there is no apt-get to install them with: no-package other"),
])
def test_machine_that_cannot_have_hosts_says_why_in_one_line(monkeypatch, capsys, user, programs, reason):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(machine.NotPossible, match=reason):
        machine.require(programs)
    monkeypatch.setattr(machine, "PACKAGES", programs)
    assert command_line.main(["up", "h1"]) == command_line.NOT_RUN == 77
    assert capsys.readouterr().err.splitlines()[-1].startswith("NOT RUN: " + reason)


def test_failure_is_another_status_than_not_run(capsys):
    assert command_line.main(["reboot", "h1"]) == 1
    assert capsys.readouterr().err == "hosts: no host h1: those recorded are none\n"


@pytest.mark.parametrize("words", [["up"], ["down"], ["up", "h1", "--like", "windows"], ["up", "h1", "--mount", "here:there"], ["fly", "h1"]])
def test_wrong_command_line_is_a_third_status(words, capsys):
    with pytest.raises(SystemExit) as ended:
        command_line.main(words)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(("printed", "expected"), [
    ("http://a.test/debian/\nhttp://b.test/debian-security/\nhttp://a.test/debian/\n", ("http://a.test/debian", "http://b.test/debian-security")),
    ("http://first.test/debian\nhttp://second.test/debian\n", ("http://first.test/debian", "")),
    ("http://archive.test/ubuntu/\n", ("", "")),
])
def test_mirrors_are_those_of_the_machine(monkeypatch, printed, expected):
    monkeypatch.setattr(machine, "run", lambda *_words, **_options: subprocess.CompletedProcess([], 0, printed, ""))
    assert images.mirrors() == expected


def test_sources_are_left_to_mmdebstrap_where_the_machine_knows_no_mirror():
    assert images.sources("trixie", "", "http://b.test/debian-security") == []
    assert [line.split()[1:3] for line in images.sources("trixie", "http://a.test/debian", "http://b.test/debian-security")] == [
        ["http://a.test/debian", "trixie"], ["http://a.test/debian", "trixie-updates"], ["http://b.test/debian-security", "trixie-security"]]


def test_image_is_another_one_when_anything_of_its_recipe_is(monkeypatch):
    names = [images.tag("bookworm", ["deb a"], b"x"), images.tag("trixie", ["deb a"], b"x"), images.tag("bookworm", ["deb b"], b"x"),
             images.tag("bookworm", ["deb a"], b"y")]
    for name, value in (("PACKAGES", ("systemd",)), ("HOOK", "true"), ("CHANGES", ())):
        with monkeypatch.context() as patch:
            patch.setattr(images, name, value)
            names.append(images.tag("bookworm", ["deb a"], b"x"))
    assert len(set(names)) == len(names)
    assert names[0] == images.tag("bookworm", ["deb a"], b"x")
    assert names[0].startswith("localhost/gpuops-host:bookworm-")


@pytest.mark.parametrize(("error", "not_run"), [
    ("mmdebstrap ended with 25: E: apt-get update -oX failed", True),
    ("mmdebstrap ended with 25: E: setup failed: no package there", False),
])
def test_mirror_that_does_not_answer_is_no_failure_of_ours(monkeypatch, tmp_path, error, not_run):
    def run(*_words, **_options):
        raise machine.HostError(error)

    monkeypatch.setattr(machine, "run", run)
    with pytest.raises(machine.HostError) as raised:
        images.bootstrap("bookworm", [], tmp_path / "x", ["systemd"], "true")
    assert isinstance(raised.value, machine.NotPossible) is not_run


@pytest.mark.parametrize("script", [images.HOOK, vms.HOOK, images.BOOT])
def test_scripts_are_shell(script):
    assert subprocess.run(["sh", "-n", "-c", script], check=False, stderr=subprocess.PIPE).stderr == b""


# What Ansible looks for anywhere in os-release, before it looks at the fields.
ANSIBLE_LOOKS_FOR = ("Debian", "Ubuntu", "Raspbian", "SUSE", "Amazon", "Flatcar", "Mandriva", "Clear Linux", "NA", "Coreos", "Archlinux", "Alpine")


@pytest.mark.parametrize("like", lookalikes.LOOKALIKES)
def test_look_alike_says_what_it_is_called_and_that_it_is_none(like):
    files = dict(lookalikes.files(like))
    note, *lines = files["/usr/lib/os-release"].splitlines()
    values = {name: "".join(shlex.split(value)) for name, value in (line.split("=", 1) for line in lines)}
    distribution, version = like.split("-")
    assert values["ID"] == distribution
    assert values["VERSION_ID"].split(".")[:len(version.split("."))] == version.split(".")
    assert note.startswith("# A look-alike")
    assert not [word for word in ANSIBLE_LOOKS_FOR if word in note]
    assert ("/etc/redhat-release" in files) == (distribution in ("rocky", "rhel"))


def test_host_is_itself_unless_it_is_to_look_like_another():
    assert lookalikes.files("") == []
    with pytest.raises(machine.HostError, match="no look-alike beos; there are debian-11"):
        lookalikes.files("beos")


def test_ssh_configuration_leads_to_each_host_by_name_and_address():
    access.write([("h1", "10.89.0.11", "ssh-ed25519 AAAA comment\n"), ("h2", "10.89.0.12", "ssh-ed25519 BBBB\n")])
    path = access.configuration()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.with_name("known_hosts").read_text(encoding="utf-8") == "h1 ssh-ed25519 AAAA\nh2 ssh-ed25519 BBBB\n"
    for words in (("h2",), ("10.89.0.12",)):
        said = subprocess.run(["ssh", "-G", "-F", path, *words], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        assert {"hostname 10.89.0.12", "user root", "hostkeyalias h2", "stricthostkeychecking true"} <= set(said)
        (socket,) = [line.split()[1] for line in said if line.startswith("controlpath ")]
        # ssh appends 17 characters to the path while it makes the socket, and a socket's path ends at 107.
        assert socket.endswith("/h2") and len(socket) - len("h2") + 40 + 17 < 108


def test_key_is_made_once_and_is_private(tmp_path):
    private, public = access.make_key(tmp_path, "test")
    assert access.make_key(tmp_path, "test") == (private, public)
    assert (tmp_path / "id_ed25519").stat().st_mode & 0o777 == 0o600


def test_files_reach_a_host_with_their_modes_and_belong_to_root():
    archive = containers.archive([containers.File("/etc/a", "text ä\n"), containers.File("/home/a/.ssh/b", "", 0o600)])
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert [(each.name, each.mode, each.uid, each.gid) for each in tar] == [("etc/a", 0o644, 0, 0), ("home/a/.ssh/b", 0o600, 0, 0)]
        assert tar.extractfile("etc/a").read().decode() == "text ä\n"
