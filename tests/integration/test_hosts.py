# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test hosts as a whole: they boot, reach each other, are told apart from their snapshots, and leave nothing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.hosts import __main__ as command_line
from tests.hosts import access, engine, fleet, machine, records, snapshots

MARK = "gpuops-test-mark"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    """Return two bookworm hosts and one of trixie by name, in a state directory of their own: other hosts of this machine stay out of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPUOPS_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        try:
            other = records.Options(suite="trixie", like="ubuntu-24.04", mounts=((str(Path(__file__).parent), "/srv"),))
            yield {host.name: host for host in fleet.up(["it-1", "it-2"]) + fleet.up(["it-3"], other)}
        except machine.NotPossible as reason:
            pytest.skip("NOT RUN: %s" % reason)
        finally:
            fleet.down()


@pytest.fixture(params=["it-1", "it-3"])
def host(hosts, request):
    """Return a host of each suite."""
    return hosts[request.param]


def test_hosts_reach_each_other_by_name_and_the_machine(hosts):
    gateway = engine.network().gateway
    for name, others in (("it-1", ("it-2", "it-3", gateway)), ("it-3", ("it-1", gateway))):
        for other in others:
            assert " 0% packet loss" in fleet.run(hosts[name], "ping", "-c", "1", other).stdout


def test_host_is_bare(host):
    assert fleet.run(host, "cat", "/proc/1/comm").stdout == "systemd\n"
    assert fleet.run(host, "systemctl", "is-system-running").stdout == "running\n"
    assert fleet.run(host, "sh", "-c", "command -v podman docker containerd k3s kubectl iptables", check=False).stdout == ""
    assert fleet.run(host, "cat", "/proc/sys/net/ipv4/ip_forward").stdout == "0\n"
    assert fleet.run(host, "hostname").stdout == host.name + "\n"


def test_look_alike_and_mount_are_as_asked_for(hosts):
    assert "noble" in fleet.run(hosts["it-3"], "cat", "/etc/os-release").stdout
    assert Path(__file__).name in fleet.run(hosts["it-3"], "ls", "/srv").stdout
    assert "Read-only file system" in fleet.run(hosts["it-3"], "touch", "/srv/x", check=False).stderr


def test_ansible_reaches_hosts_through_the_configuration_alone(hosts, tmp_path):
    reached = {"ansible_ssh_common_args": "-F %s" % access.configuration(), "ansible_ssh_args": ""}
    inventory = {"all": {"hosts": {name: {} for name in hosts}, "vars": reached}}
    path = tmp_path / "inventory.json"
    path.write_text(json.dumps(inventory), encoding="utf-8")
    command = ["ansible", "-i", path, "all", "-m", "ansible.builtin.ping"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.stdout.count("| SUCCESS =>") == len(hosts), done.stdout


def test_host_that_runs_is_kept_and_one_with_other_options_is_replaced(hosts):
    before = fleet.boot_of(hosts["it-2"])
    assert fleet.up(["it-2"]) == [hosts["it-2"]]
    assert fleet.boot_of(hosts["it-2"]) == before
    (other,) = fleet.up(["it-2"], records.Options(like="sles-15"))
    assert fleet.boot_of(other) != before
    assert 'ID="sles"' in fleet.run(other, "cat", "/etc/os-release").stdout


def test_snapshot_tells_exactly_what_was_changed(host, tmp_path, capsys):
    path = str(tmp_path / "snapshot.json")
    assert command_line.main(["snapshot", host.name, path]) == 0
    unit = "[Service]\nExecStart=/bin/sleep inf\n[Install]\nWantedBy=multi-user.target\n"
    fleet.run(host, "sh", "-c", "mkdir -m 700 /opt/%s && chmod 600 /etc/fstab && cat > /etc/systemd/system/mark.service" % MARK, input=unit)
    fleet.run(host, "systemctl", "enable", "--now", "mark.service")
    fleet.run(host, "nft", "add table inet gpuops")
    fleet.run(host, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    capsys.readouterr()
    assert command_line.main(["compare", host.name, path]) == 1
    assert [line.split(": ")[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["active unit mark.service", "added"],
        ["file /etc/fstab", "changed"],
        ["file /etc/systemd/system/mark.service", "added"],
        ["file /etc/systemd/system/multi-user.target.wants/mark.service", "added"],
        ["file /opt/" + MARK, "added"],
        ["firewall rule table inet gpuops", "added"],
        ["process sleep", "added"],
        ["sysctl net/ipv4/conf/all/forwarding", "changed"],
        ["sysctl net/ipv4/conf/default/forwarding", "changed"],
        ["sysctl net/ipv4/ip_forward", "changed"],
        ["unit file mark.service", "added"],
    ]
    fleet.run(host, "systemctl", "disable", "--now", "mark.service")
    fleet.run(host, "sh", "-c", "rm -r /opt/%s /etc/systemd/system/mark.service; systemctl daemon-reload; chmod 644 /etc/fstab" % MARK)
    fleet.run(host, "nft", "delete table inet gpuops")
    fleet.run(host, "sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
    assert command_line.main(["compare", host.name, path]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("end", [fleet.reboot, fleet.kill])
def test_host_that_boots_again_keeps_its_disk_and_nothing_else(host, end):
    before, boot = snapshots.take(host), fleet.boot_of(host)
    fleet.run(host, "sh", "-c", "touch ~/%s /run/%s; ip link add %.15s type bridge; nft add table inet gpuops" % (MARK, MARK, MARK))
    fleet.run(host, "systemd-run", "--quiet", "sleep", "inf")
    end(host.name)
    assert fleet.boot_of(host) != boot
    assert snapshots.differences(before, snapshots.take(host)) == ["file %s/%s: added: file 0644 root:root 0 bytes, sha256 %s" % (
        records.HOME, MARK, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    fleet.run(host, "sh", "-c", "rm ~/" + MARK)


def test_host_that_cannot_be_made_leaves_nothing_and_no_other_new_one(hosts):
    with pytest.raises(machine.HostError, match="/no/such/directory"):
        fleet.up(["it-4", "it-5"], records.Options(mounts=(("/no/such/directory", "/srv"),)))
    assert records.names() == sorted(hosts)
    assert fleet.run(hosts["it-1"], "getent", "ahostsv4", "it-4", check=False).stdout == ""


@pytest.mark.skipif("GPUOPS_TEST_VM" not in os.environ, reason="NOT RUN: a virtual machine takes minutes; GPUOPS_TEST_VM=1 asks for it")
def test_virtual_machine_is_a_host_with_a_kernel_of_its_own(hosts):
    (vm,) = fleet.up(["it-vm"], records.Options(vm=True, memory_mib=1024))
    assert " 0% packet loss" in fleet.run(vm, "ping", "-c", "1", "it-1").stdout
    assert " 0% packet loss" in fleet.run(hosts["it-1"], "ping", "-c", "1", "it-vm").stdout
    assert {"cpu", "memory", "pids"} <= set(fleet.run(vm, "cat", "/sys/fs/cgroup/cgroup.controllers").stdout.split())
    before = snapshots.take(vm)
    fleet.run(vm, "sh", "-c", "modprobe br_netfilter && touch /opt/%s && sync" % MARK)
    fleet.kill("it-vm")
    assert "br_netfilter" not in fleet.run(vm, "lsmod").stdout
    assert [line.split(": ")[:2] for line in snapshots.differences(before, snapshots.take(vm))] == [["file /opt/" + MARK, "added"]]
    fleet.down(["it-vm"])
    assert not (machine.state_directory() / "vms" / "it-vm").exists()


def test_hosts_that_go_leave_nothing(hosts):
    bridge, store = engine.network().interface, str(machine.state_directory())
    assert fleet.down(["it-1", "it-6"]) == ["it-1"]
    assert fleet.down(["it-1"]) == []
    assert [each["name"] for each in fleet.states()] == ["it-2", "it-3"]
    assert engine.podman("volume", "ls", "--quiet").stdout.count("\n") == 2
    assert fleet.down() == ["it-2", "it-3"]
    assert access.configuration().read_text(encoding="utf-8") == ""
    assert not machine.run_directory().exists()
    assert not Path("/sys/class/net", bridge).exists()
    assert store not in Path("/proc/self/mounts").read_text(encoding="utf-8")
    lines = subprocess.run(["ps", "-e", "-o", "args"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    assert [line for line in lines if store in line or str(machine.run_directory()) in line] == []
    fleet.up(["it-1"])
    engine.podman("container", "exists", "gpuops-it-1")
    assert engine.podman("volume", "ls", "--quiet").stdout.count("\n") == 1
