# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an instance keeps on disk, and what is refused before anything is started."""

from __future__ import annotations

import base64
import stat
import threading

import pytest
import yaml
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import __main__ as command_line
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import cluster, credentials, paths, stages, state
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.errors import BadInput, TestbedError

CHAIN = "-----BEGIN CERTIFICATE-----\nserver\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nauthority\n-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path, monkeypatch):
    monkeypatch.setenv("GPUOPS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("GPUOPS_CACHE_DIR", str(tmp_path / "cache"))


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("name", ["", "Demo", "a/b", "..", "-a", "a-", "a" * 41, 7])
def test_a_name_that_could_not_be_a_directory_is_refused(name):
    with pytest.raises(BadInput, match="name: .*must be 1 to 40"):
        paths.instance_directory(name)


def test_state_and_cache_lie_where_the_environment_says(monkeypatch, tmp_path):
    assert paths.instance_directory("demo") == tmp_path / "state" / "testbed" / "demo"
    monkeypatch.delenv("GPUOPS_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert paths.instance_directory("demo") == tmp_path / "xdg" / "gpuops" / "testbed" / "demo"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.instance_directory("demo") == tmp_path / ".local" / "state" / "gpuops" / "testbed" / "demo"


def test_what_is_written_is_its_owners_alone(tmp_path):
    directory = paths.make_private(tmp_path / "x" / "demo")
    assert mode(directory) == 0o700
    for text in ("one", "two"):
        assert mode(paths.write_private(directory / "secret", text)) == 0o600
    assert (directory / "secret").read_text() == "two" and len(list(directory.iterdir())) == 1


def test_a_record_comes_back_and_a_broken_one_counts_as_none(tmp_path):
    assert state.load(tmp_path) is None
    record = state.new("demo", {"large": False})
    state.save(tmp_path, record)
    assert state.load(tmp_path) == record
    for broken in ("", "{", "[]", "{}"):
        (tmp_path / "state.json").write_text(broken)
        assert state.load(tmp_path) is None


def test_two_commands_on_one_instance_follow_each_other(tmp_path):
    order, waits, inside = [], threading.Event(), threading.Event()

    def second():
        inside.wait()
        with state.locked(tmp_path / "demo", waits.set):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with state.locked(tmp_path / "demo"):
        inside.set()
        waits.wait()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_the_kubeconfig_has_one_context_and_verifies_the_server(tmp_path):
    pki = paths.make_private(tmp_path / "pki")
    credentials.create(pki)
    (pki / "apiserver.crt").write_text(CHAIN)
    credentials.write_ca(pki)
    config = yaml.safe_load(credentials.write_kubeconfig(tmp_path, "gpuops-testbed-x", "https://127.0.0.1:1").read_text())
    assert [each["name"] for each in config["contexts"]] == ["gpuops-testbed-x"] == [config["current-context"]]
    entry = config["clusters"][0]["cluster"]
    assert set(entry) == {"server", "certificate-authority-data"} and entry["server"] == "https://127.0.0.1:1"
    assert base64.b64decode(entry["certificate-authority-data"]).decode() == CHAIN[CHAIN.index("-----BEGIN", 10) :]
    assert config["users"][0]["user"]["token"] == credentials.read_token(tmp_path)
    assert all(mode(path) == 0o600 for path in [tmp_path / "kubeconfig", pki / "token", pki / "tokens.csv", pki / "service-account.key"])


def test_a_chain_without_authority_is_refused(tmp_path):
    (tmp_path / "apiserver.crt").write_text(CHAIN[: CHAIN.index("-----BEGIN", 10)])
    with pytest.raises(TestbedError, match="no CA certificate"):
        credentials.write_ca(tmp_path)


def test_the_stages_leave_room_and_gpus_of_a_node_alone():
    documents = list(yaml.safe_load_all(stages.kwok_configuration()))
    assert [each["kind"] for each in documents] == ["KwokConfiguration"] + ["Stage"] * 5
    for stage in documents[1:3]:
        template = stage["spec"]["steps"][0]["patch"]["template"]
        assert stage["spec"]["resourceRef"]["kind"] == "Node" and "capacity" not in template and "allocatable" not in template


@pytest.mark.parametrize("delay", [(90.0, 60.0), (-1.0, 5.0), (5.0,), (1.0, 2.0, 3.0), (0.0, 1e6)])
def test_an_impossible_delay_is_refused_before_anything_starts(delay, tmp_path):
    with pytest.raises(BadInput, match="configmap_delay"):
        cluster.up("demo", options=cluster.Options(configmap_delay=delay))
    assert not (tmp_path / "state").exists() and not (tmp_path / "cache").exists()


def test_what_a_first_start_would_do_is_known_before():
    nodes = [{"name": "cpu", "nodes": 2}]
    assert cluster.preview("demo", nodes) == ["start the control plane", "create 2 nodes (cpu-1, cpu-2)"]
    assert cluster.foresee("demo", nodes).nodes == ("cpu-1", "cpu-2")
    assert cluster.status("demo")["state"] == "absent" and cluster.list_instances() == []
    assert not cluster.exists("demo") and not cluster.down("demo")
    with pytest.raises(TestbedError, match="testbed demo does not run; fix: start it"):
        cluster.get("demo")


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["up", "--nodes", "/nowhere.yml"], 2, "--nodes: '/nowhere.yml': cannot be read"),
        (["up", "--name", "A"], 2, "name: 'A'"),
        (["up", "--configmap-delay", "5", "1"], 2, "configmap_delay"),
        (["status", "--name", "A"], 2, "name: 'A'"),
        (["down", "--name", "nothing"], 0, ""),
        (["status"], 0, ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_exit_codes_of_the_command_line(arguments, code, said, capsys):
    assert command_line.main(arguments) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["fly"], ["up", "--nodse", "x"]])
def test_a_wrong_command_line_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        command_line.main(arguments)
    assert caught.value.code == 2 and "usage: testbed" in capsys.readouterr().err


def test_nodes_may_be_a_list_or_a_variable_file(tmp_path):
    path = tmp_path / "nodes.yml"
    for text in ("- name: a\n", "gpu_simulated_nodes: [{name: a}]\nother: 1\n"):
        path.write_text(text)
        assert command_line._read_nodes(str(path)) == [{"name": "a"}]
