# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/hosts.yml with nothing to do, on hosts that are a k3s cluster already: seconds and tasks per host.

The hosts and their cluster run beside the controller. What a peer takes for the same is in docs/performance.md.
"""

from __future__ import annotations

import re
import subprocess

import pytest
from tests.hosts import clusters, fleet, machine, standin_build

from . import measure

VERSION = "v1.35.5+k3s1"


@pytest.fixture(params=[1, 10], ids=["1 host", "10 hosts"])
def cluster(request, tmp_path):
    standin_build.build(tmp_path / "releases", [VERSION], architectures=("amd64",))
    try:
        found = clusters.up(tmp_path, "bench", request.param - 1, tmp_path / "releases")
    except machine.NotPossible as error:
        pytest.skip(str(error))
    try:
        measure.run(measure.Command("install", found.command("hosts.yml", {"k3s_version": VERSION})))
        yield found
    finally:
        fleet.down([host.name for unused, host in found.members])


def tasks(output):
    """Return how many tasks each host had, those that were skipped and the inclusions of others among them."""
    recap = re.findall(r"^(\S+)\s+: ok=(\d+) .*skipped=(\d+)", output, re.MULTILINE)
    return {name: int(ok) + int(skipped) for name, ok, skipped in recap}


def sent(output):
    """Return how many commands were sent to each host, by its address, out of the output with -vvv."""
    addresses = re.findall(r"^<([\d.]+)> SSH: EXEC", output, re.MULTILINE)
    return {address: addresses.count(address) for address in addresses}


def test_second_run(cluster, publish):
    def unchanged(output):
        assert re.findall(r"changed=(\d+)", output) == ["0"] * len(cluster.members), output

    command = cluster.command("hosts.yml", {"k3s_version": VERSION})
    counted = subprocess.run([*command, "-vvv"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
    title = "hosts.yml on %d host%s, nothing to do" % (len(cluster.members), "s" * (len(cluster.members) > 1))
    samples = measure.alternate([measure.Command(title, command, check=unchanged)])
    lines = [measure.table(title, samples, title), "%.2f s of wall clock per host" % (measure.median(samples[title], "wall") / len(cluster.members))]
    for kind, host in cluster.members[:2]:
        lines.append("%-46s %8d tasks, %d commands over ssh" % (kind, tasks(counted)[host.name], sent(counted).get(host.address, 0)))
    publish("\n".join(lines))
