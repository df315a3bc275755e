# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input on real hosts: refused before anything is changed, or failed cleanly, and mended by the next run. In the order of the file."""

from __future__ import annotations

import shutil

import pytest

from tests.k3s.hosts import AGENT, SERVER, THIRD, VERSION, lacking

OTHER = {"amd64": {"k3s": "0" * 64}}
ANOTHER_CLUSTER = "K10%s::server:one-that-is-long-enough" % ("0" * 64)
# What a host cannot have: no way out, a stranger on the port, swap, 64 MiB of room, and a system that is too old.
SPOIL = """
mkdir -p /run/spoilt && cd /run/spoilt
ip route show default > route && ip route del default
systemd-run --quiet --unit squatter python3 -m http.server 6443
printf 'Filename Type Size Used Priority\\n/swap.img file 1048572 0 -2\\n' > swaps && mount --bind swaps /proc/swaps
mkdir /var/lib/rancher && mount -t tmpfs -o size=64m tmpfs /var/lib/rancher
printf 'ID="rocky"\\nID_LIKE="rhel centos fedora"\\nVERSION_ID="8.10"\\nPRETTY_NAME="Rocky Linux 8.10"\\n' > release && mount --bind release /usr/lib/os-release
until ss -ltn | grep -q :6443; do sleep 0.1; done
"""
MEND = """
cd /run/spoilt
umount /usr/lib/os-release /proc/swaps /var/lib/rancher && rmdir /var/lib/rancher
systemctl stop squatter
ip route add $(cat route)
rm -r /run/spoilt
"""
# The host's own Python in another architecture, or with a clock of its own.
PYTHONS = """
mkdir -p /run/pythons/ahead && cd /run/pythons
printf 'import time\\n_time = time.time\\ntime.time = lambda: _time() + 600\\n' > ahead/sitecustomize.py
printf '#!/bin/sh\\nPYTHONPATH=/run/pythons/ahead exec /usr/bin/python3 "$@"\\n' > python-ahead
printf '#!/bin/sh\\nexec setarch i686 /usr/bin/python3 "$@"\\n' > python-i686
chmod +x python-*
"""


@pytest.fixture
def refused(k3s_hosts):
    """Return refused(words, servers, agents, ...): a run that ends with these words, and has changed nothing on any host."""

    def run(words, servers, agents, *more, **variables):
        k3s_hosts.stamp()
        status, output, changed = k3s_hosts.play(servers, agents, *more, **variables)
        assert (status, changed) == (2, 0), output
        assert lacking(output, *words) == [], output
        assert k3s_hosts.changes() == {}, output
        return output

    return run


@pytest.fixture(scope="module")
def joined(k3s_hosts):
    """Make a cluster of the first two hosts, unless they are one."""
    status, output, _changed = k3s_hosts.play([SERVER], [AGENT])
    assert status == 0, output
    assert k3s_hosts.nodes() == {SERVER: "True", AGENT: "True"}
    return k3s_hosts


@pytest.fixture(scope="module")
def before(k3s_hosts):
    k3s_hosts.stamp()
    return k3s_hosts.snapshots()


def test_variables_that_mean_nothing_are_refused(before, refused):
    words = ["k3s_tokne: the role k3s has no such variable; fix: write k3s_token",
             "k3s_api_adress: the role k3s has no such variable; fix: write k3s_api_address",
             "k3s_of_our_own: the role k3s has no such variable, and does not use it"]
    refused(words, [SERVER], [AGENT], k3s_tokne="x", k3s_api_adress="x", k3s_of_our_own="x")


def test_a_configuration_of_no_node_is_refused(refused):
    output = refused(
        ["k3s_token: '*** (18 characters)': it is printed in a public guide", "fix: leave k3s_token out",
         "k3s_config_host.token: '***': this key is written for you; fix: remove it, and set k3s_token",
         "k3s_config_host.agent-token: '***': this key is written for you; fix: remove it, and set k3s_agent_token",
         # Only warned about: newer releases may know what this collection does not.
         "k3s_config_cluster.disabel: ['traefik']: k3s server knows no such key, and skips it without an error; fix: did you mean disable?",
         "k3s_config_cluster.flanel-backend: 'none': ", "fix: did you mean flannel-backend?"],
        [SERVER], [AGENT], k3s_token="defaultSecret12345", k3s_config_cluster={"disabel": ["traefik"], "flanel-backend": "none"},
        k3s_config_host={"token": "hidden-one", "agent-token": "hidden-two"})
    assert "defaultSecret12345" not in output and "hidden-one" not in output and "hidden-two" not in output


def test_a_host_that_cannot_be_a_node_is_refused(k3s_hosts, refused):
    k3s_hosts.run(SERVER, SPOIL)
    k3s_hosts.run(AGENT, PYTHONS)
    try:
        refused(
            ["(6 problems)", "k3s_version: 'v1.35.99+k3s1': where the artefacts are, this version has no checksum of k3s", "with its sha256sum-amd64.txt",
             "port: 6443: taken on this host, and needed for the API server", "fix: end what listens there",
             "default route: None: k3s does not start without one; fix: add one",
             "swap: ['/swap.img']: kubelet does not count swapped memory; fix: swapoff -a", "k3s_ignored_checks",
             "free space: '64 MiB': /var/lib/rancher/k3s needs 4096 MiB; fix: make room",
             "operating system: 'Rocky Linux 8.10': its dnf module runs under Python 3.6", "fix: install a newer release",
             "architecture: 'i686': k3s is installed on aarch64 and x86_64 only; fix: use a host of one of these"],
            [SERVER], {AGENT: {"ansible_python_interpreter": "/run/pythons/python-i686"}}, k3s_version="v1.35.99+k3s1")
    finally:
        k3s_hosts.run(SERVER, MEND)


def test_hosts_that_cannot_be_one_cluster_are_refused(k3s_hosts, refused):
    k3s_hosts.run(AGENT, "hostname %s" % SERVER)
    try:
        refused(
            ["Cluster lab is refused before anything was changed",
             "node name of %s and %s: '%s': two nodes of one name" % (SERVER, AGENT, SERVER), "fix: give one of them another name, or set k3s_node_name",
             "clocks of %s and %s: '" % (SERVER, AGENT), "%s is that far ahead of %s, and at most 30 s are allowed" % (AGENT, SERVER),
             "fix: set the clocks by NTP (chrony, systemd-timesyncd), or raise k3s_clock_skew",
             "host %s: ['agent', 'server']: it is in several groups" % AGENT, "fix: leave it in one of them"],
            [SERVER, AGENT], {AGENT: {"ansible_python_interpreter": "/run/pythons/python-ahead"}})
    finally:
        k3s_hosts.run(AGENT, "hostname %s; rm -r /run/pythons" % AGENT)


def test_an_agent_that_knows_no_server_is_refused(refused):
    refused(["k3s_token: '': the first server takes no part in this run", "fix: set k3s_token to the content of the file node-token",
             "k3s_api_address of host %s: 'https://%s:6443': nobody answers there: Connection refused" % (AGENT, SERVER), "k3s_api_port"],
            [], [AGENT], k3s_api_address=SERVER)


def test_the_hosts_are_as_they_were(k3s_hosts, before):
    assert k3s_hosts.differences(before) == []


def test_a_mirror_that_is_not_there_is_refused(refused):
    refused(["k3s_artifact_url: 'http://127.0.0.1:9/v1.35.5%2Bk3s1/sha256sum-amd64.txt': Connection refused, 3 times; fix: see that it runs", "k3s_no_proxy"],
            [SERVER], [AGENT], k3s_artifact_url="http://127.0.0.1:9")


@pytest.mark.parametrize("where", ["directory", "mirror"])
def test_a_program_that_was_changed_on_its_way_is_not_installed(k3s_hosts, tmp_path, where):
    path = k3s_hosts.releases / VERSION / "k3s"
    program = tmp_path / "k3s"
    shutil.copy2(path, program)
    place = str(k3s_hosts.releases) if where == "directory" else k3s_hosts.mirror.url
    try:
        with path.open("ab") as stream:
            stream.write(b"!")
        status, output, _changed = k3s_hosts.play([SERVER], [AGENT], k3s_artifact_url=place)
    finally:
        shutil.copy2(program, path)
    assert status == 2, output
    assert lacking(output, "its SHA-256 is ", "and has to be ", "ix: find out why it is another file, then replace it there") == [], output
    named = "k3s_artifact_url: %s/%s/k3s: " % (place, VERSION) if where == "directory" else "k3s_artifact_url: '%s/v1.35.5%%2Bk3s1/k3s'" % place
    assert lacking(output, named) == [], output
    for name in (SERVER, AGENT):
        assert k3s_hosts.run(name, "find /etc/rancher /etc/systemd/system/k3s* /usr/local/bin /var/lib/rancher -type f", check=False) == ""


def test_a_mirror_that_dies_half_way_is_made_up_for(k3s_hosts):
    k3s_hosts.mirror.breaks = True
    status, output, _changed = k3s_hosts.play([SERVER], [AGENT], k3s_artifact_url=k3s_hosts.mirror.url)
    assert status == 2, output
    assert lacking(output, "k3s_artifact_url: '%s/" % k3s_hosts.mirror.url, "it broke off after", "3 times; fix: see that it runs") == [], output
    for name in (SERVER, AGENT):
        assert k3s_hosts.run(name, "find /etc/rancher /etc/systemd/system/k3s* /usr/local/bin /var/lib/rancher -type f", check=False) == ""
    k3s_hosts.mirror.breaks = False
    status, output, _changed = k3s_hosts.play([SERVER], [AGENT], k3s_artifact_url=k3s_hosts.mirror.url)
    assert status == 0, output
    assert k3s_hosts.nodes() == {SERVER: "True", AGENT: "True"}


def test_versions_that_cannot_be_reached_from_what_runs_are_refused(joined, refused):
    refused(["k3s_version: 'v1.35.4+k3s1': ", "does not support a downgrade", "k3s_version: 'v1.37.0+k3s1': ", "no minor version may be skipped"],
            {SERVER: {"k3s_version": "v1.35.4+k3s1"}}, {AGENT: {"k3s_version": "v1.37.0+k3s1"}}, k3s_checksums=OTHER)


def test_a_host_does_not_change_its_part(joined, refused):
    refused(["k3s_node_type: 'server': this host is an agent already (k3s-agent.service)",
             "k3s_node_type: 'agent': this host is a server already (k3s.service)",
             "fix: remove it there first (k3s_state: absent), or leave it what it is"], [AGENT], [SERVER])


def test_a_new_server_before_the_others_starts_no_second_cluster(joined, refused):
    refused(["host %s: 'server': it is new and the first of the servers" % THIRD, "cluster of %s is there" % SERVER, "put it behind %s" % SERVER],
            [THIRD, SERVER], [AGENT], k3s_api_address=SERVER)
    refused(["host %s: 'server': it is new" % THIRD, "not known whether %s have a cluster" % SERVER, "fix: have all servers take part"],
            [THIRD, SERVER], [AGENT], "--limit", THIRD, k3s_api_address=SERVER)


@pytest.mark.parametrize(("token", "address", "words"), [
    ("one-that-is-long-enough", SERVER,
     ["k3s_token of host %s: '***': the server at https://%s:6443 does not know it" % (THIRD, SERVER), "fix: set it to the content of the file node-token"]),
    (ANOTHER_CLUSTER, SERVER,
     ["k3s_token of host %s: '***': it is for a cluster with another CA" % THIRD, "fix: set it to the content of the file node-token"]),
    ("one-that-is-long-enough", "api.example.com",
     ["k3s_api_address of host %s: 'https://api.example.com:6443': the certificate there is not for it" % THIRD, SERVER, "fix: add it to k3s_tls_san"]),
], ids=["a wrong token", "a token of another cluster", "an address that is not in the certificate"])
def test_an_agent_that_the_servers_would_not_let_in_is_refused(joined, refused, token, address, words):
    joined.run(THIRD, "grep -q api.example.com /etc/hosts || echo %s api.example.com >> /etc/hosts" % joined.hosts[SERVER].address)
    output = refused(words, [], [THIRD], k3s_token=token, k3s_api_address=address)
    assert "long-enough" not in output


def test_an_agent_with_a_server_that_takes_no_part_gets_its_token(joined):
    status, output, _changed = joined.play([SERVER], [AGENT, THIRD], "--limit", THIRD)
    assert status == 0, output
    assert joined.nodes() == {SERVER: "True", AGENT: "True", THIRD: "True"}
