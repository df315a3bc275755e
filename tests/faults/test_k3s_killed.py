# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run is killed, or a host loses its power, at any point of an installation, a change and an upgrade: the next run ends where an undisturbed one does.

What a killed run leaves behind, on the controller and on the hosts, goes on beside the next run.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time
import typing as t

import pytest
from tests.hosts import clusters, fleet, machine, snapshots, standin_build

SEED = 20261124
# With make test-heavy there are more.
SEEDS = int(os.environ.get("GPUOPS_FAULT_SEEDS", "3"))
OLD, NEW = "v1.35.5+k3s1", "v1.35.6+k3s1"
# With a drain, so that there is a cordon to be left behind.
CHANGED = {"k3s_kubelet_args": ["max-pods=60"], "k3s_node_labels": {"pool": "inference"}, "k3s_drain": True}
# What somebody mends before the next run.
MISTAKE = {"k3s_kubelet_args": ["max-pods=50"]}
STEPS = {"install": {"k3s_version": OLD}, "change": dict(CHANGED, k3s_version=OLD), "upgrade": dict(CHANGED, k3s_version=NEW)}
# The workers of ansible-playbook are in sessions of their own: those of a killed group of processes finish their task, and nobody hears of it.
WAYS = ("kill the run", "kill the run and all below it", "cut the power of the server", "cut the power of the agent")
PATIENCE = 600.0

# What an undisturbed run would not make the same either: data, certificates, tokens, and the revision, which counts interrupted runs too.
DATA = re.compile(r"/var/lib/rancher/k3s/(server|agent|standin)/.*|/var/lib/kubelet/.*|/etc/ssh/ssh_host_.*|/etc/(hostname|hosts|resolv\.conf)")
CONTENT = re.compile(r"/etc/rancher/k3s/(cluster-token|config\.yaml|k3s\.yaml)|/etc/rancher/node/password|/etc/systemd/system/k3s.*\.env")
REVISION = re.compile(r"^GPUOPS_REVISION=(\d+)$", re.MULTILINE)


class Run:
    """A run of playbooks/hosts.yml that has begun, in a process group of its own."""

    def __init__(self, cluster: clusters.Cluster, variables: t.Mapping[str, t.Any]) -> None:
        self.variables = variables
        self._path = cluster.directory / "output"
        with self._path.open("w", encoding="utf-8") as output:
            options = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT, "cwd": cluster.directory}
            self.process = subprocess.Popen(cluster.command("hosts.yml", variables), start_new_session=True, **options)

    @property
    def output(self) -> str:
        return self._path.read_text(encoding="utf-8")

    def tasks(self) -> t.List[str]:
        """Return the tasks that it has begun."""
        return re.findall(r"^TASK \[(.*)\]", self.output, re.MULTILINE)

    def ended(self, seconds: float) -> bool:
        """Wait for its end, and return whether it came in time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.returncode is not None

    def course(self) -> t.List[float]:
        """Follow it to its end, and return after how many seconds each of its tasks began; the last figure is the whole length."""
        began, found = time.monotonic(), []
        while not self.ended(0.02):
            found += [time.monotonic() - began] * (len(self.tasks()) - len(found))
        return found + [time.monotonic() - began]

    def reach(self, course: t.List[float], share: float) -> bool:
        """Wait for the point at a share of another run's course, task by task, as this one may be slower; return whether it came before the end."""
        point = share * course[-1]
        begun = sum(start <= point for start in course)
        while len(self.tasks()) < begun:
            if self.ended(0.02):
                return False
        return not self.ended(point - course[begun - 1] if begun else point)

    def succeed(self) -> int:
        """Wait for its end, and return how many tasks changed something."""
        assert self.ended(PATIENCE), self.output
        assert self.process.returncode == 0, self.output
        return sum(map(int, re.findall(r"changed=(\d+)", self.output)))


class Orphans:
    """What is left of killed runs, until this test ends it."""

    def __init__(self) -> None:
        self._handles: t.List[int] = []

    def note(self, processes: t.Iterable[int]) -> None:
        # A handle, because numbers are given anew.
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                self._handles.append(os.pidfd_open(process))

    def end(self) -> None:
        for handle in self._handles:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)
        self._handles.clear()


def family(process: int) -> t.List[int]:
    """Return a process and all below it."""
    children: t.Dict[int, t.List[int]] = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(entry.parent.name))
    found = [process]
    for each in found:
        found += children.get(each, [])
    return found


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """Return the directory of the releases, built once: another build may be another file."""
    directory = tmp_path_factory.mktemp("releases")
    standin_build.build(directory, [OLD, NEW], architectures=("amd64",))
    return directory


@contextlib.contextmanager
def new_cluster(directory: pathlib.Path, name: str, releases: pathlib.Path) -> t.Iterator[clusters.Cluster]:
    """Yield a cluster that has yet to be made, of new hosts."""
    try:
        cluster = clusters.up(directory, name, 1, releases)
    except machine.NotPossible as error:
        pytest.skip(str(error))
    try:
        yield cluster
    finally:
        fleet.down([host.name for unused, host in cluster.members])


def nodes(cluster: clusters.Cluster, version: str) -> t.Dict[str, str]:
    """Return what matters of each node, once all are Ready in a version and take pods."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = {node["metadata"]["name"]: node for node in cluster.kubectl("get", "nodes")["items"]}
        late = [name for name, node in found.items() if not is_ready(node, version)]
        if not late and len(found) == len(cluster.members):
            return {name: described(node) for name, node in found.items()}
        assert time.monotonic() < deadline, (late, found)
        time.sleep(0.5)


def is_ready(node: t.Dict[str, t.Any], version: str) -> bool:
    ready = [condition["status"] for condition in node["status"]["conditions"] if condition["type"] == "Ready"]
    return ready == ["True"] and node["status"]["nodeInfo"]["kubeletVersion"] == version


def described(node: t.Dict[str, t.Any]) -> str:
    annotations = {name: text for name, text in node["metadata"]["annotations"].items() if name.startswith("gpuops.kubernetes/")}
    return json.dumps([node["metadata"]["labels"], annotations, node["spec"].get("unschedulable"), node["spec"].get("taints")], sort_keys=True)


def state(cluster: clusters.Cluster, step: str) -> snapshots.Snapshot:
    """Return all that a run leaves on the hosts and in the cluster, in the shape of a snapshot; hosts by their node type."""
    found = {"node": nodes(cluster, STEPS[step]["k3s_version"])}
    for kind, host in cluster.members:
        unit = {"server": "k3s.service", "agent": "k3s-agent.service"}[kind]
        environment = fleet.run(host, "cat", "/etc/systemd/system/%s.env" % unit).stdout
        process = fleet.run(host, "systemctl", "show", unit, "-p", "MainPID", "--value").stdout.strip()
        running = fleet.run(host, "cat", "/proc/%s/environ" % process).stdout.replace("\0", "\n")
        assert REVISION.findall(running) == REVISION.findall(environment) != [], "%s of %s runs with another revision than is written" % (unit, host.name)
        taken = snapshots.take(host)
        files = {path: " ".join(text.split()[:3]) if CONTENT.fullmatch(path) else text for path, text in taken["file"].items() if not DATA.fullmatch(path)}
        texts = {"environment": REVISION.sub("", environment), "configuration": fleet.run(host, "cat", "/etc/rancher/k3s/config.yaml").stdout}
        found.update({"%s: %s" % (host.name, category): each for category, each in dict(taken, file=files, text=texts).items()})
    text = json.dumps(found)
    for kind, host in cluster.members:
        text = re.sub(r"\b(%s|%s)\b" % (re.escape(host.address), host.name), kind, text)
    return json.loads(text.replace(host.address.rpartition(".")[0] + ".", "network."))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, releases):
    """Return a cluster that nothing happens to; the course that each step takes then, and what it leaves."""
    found = {}
    with new_cluster(tmp_path_factory.mktemp("undisturbed"), "whole", releases) as cluster:
        for step, variables in STEPS.items():
            run = Run(cluster, variables)
            course = run.course()
            run.succeed()
            found[step] = course, state(cluster, step)
        yield cluster, found


def disturb(run: Run, way: str, cluster: clusters.Cluster, orphans: Orphans) -> None:
    """Do the worst to a run, and to hosts under it."""
    if way.startswith("cut"):
        fleet.kill(cluster.hosts[way.rpartition(" ")[2]][0].name)
        assert run.ended(PATIENCE), run.output
        return
    processes = family(run.process.pid)
    orphans.note(processes)
    os.killpg(run.process.pid, signal.SIGKILL)
    if way.endswith("below it"):
        orphans.end()
    run.process.wait()


def cordoned(cluster: clusters.Cluster) -> t.List[str]:
    return [node["metadata"]["name"] for node in cluster.kubectl("get", "nodes")["items"] if node["spec"].get("unschedulable")]


def test_a_cordon_that_a_killed_run_left_is_taken_off_by_any_other(undisturbed):
    cluster, unused = undisturbed
    run, orphans = Run(cluster, dict(STEPS["upgrade"], **MISTAKE)), Orphans()
    while run.tasks()[-1:] != ["gpuops.kubernetes.k3s : Let pods come back"]:
        assert not run.ended(0.05), run.output
    disturb(run, "kill the run and all below it", cluster, orphans)
    assert cordoned(cluster) == [cluster.hosts["server"][0].name]
    again = {name: value for name, value in run.variables.items() if name != "k3s_drain"}
    Run(cluster, again).succeed()
    assert cordoned(cluster) == []
    assert Run(cluster, again).succeed() == 0


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_next_run_ends_where_an_undisturbed_one_does(seed, undisturbed, releases, tmp_path, capsys):
    draw, orphans = random.Random(SEED + seed), Orphans()
    with new_cluster(tmp_path, "killed", releases) as cluster:
        try:
            for number, (step, (course, wanted)) in enumerate(undisturbed[1].items()):
                way = WAYS[(seed * len(STEPS) + number) % len(WAYS)]
                # Each seed has another part of the run's length, so that together they have all of it.
                share = ((seed + number) % SEEDS + draw.random()) / SEEDS
                run = Run(cluster, dict(STEPS[step], **MISTAKE if seed & 1 and number else {}))
                reached = run.reach(course, share)
                case = "%s: %s at %.2f of its length, in %s" % (step, way, share, run.tasks()[-1:])
                if reached:
                    disturb(run, way, cluster, orphans)
                with capsys.disabled():
                    print("\n" + case, flush=True)
                Run(cluster, STEPS[step]).succeed()
                differences = snapshots.differences(wanted, state(cluster, step))
                assert not differences, "\n".join([case] + differences)
                assert Run(cluster, STEPS[step]).succeed() == 0, case
        finally:
            orphans.end()
