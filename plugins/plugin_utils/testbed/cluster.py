# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A testbed cluster as one thing: bring it up, look at it, take it down."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import NamedTuple, Tuple

from . import control_plane, credentials, fleet, processes, state as states
from .binaries import Finder
from .client import ApiError, Client
from .control_plane import ControlPlane
from .errors import BadInput, TestbedError, problem
from .nodes import manifests
from .paths import instance_directory, make_private, state_root
from .simulator.hardware import describe

_MARKER = "/api/v1/namespaces/kube-system/configmaps"
_MARKER_NAME = "gpuops-testbed"
_READY_SECONDS = 300.0
_REPAIR_SECONDS = 60.0
_START = "start the control plane"


class Options(NamedTuple):
    """How a cluster behaves; a change restarts what needs it, nothing else."""

    # Seconds after which a changed ConfigMap reaches the pods that mount it: kubelet takes 60 to 90.
    configmap_delay: Tuple[float, float] = (60.0, 90.0)
    # For thousands of nodes: the control plane takes twice the memory for two thirds of the processor time.
    large: bool = False


class Cluster(NamedTuple):
    """A running cluster; `changes` says what this call did, and is empty when all was there already."""

    name: str
    directory: Path
    kubeconfig: str
    context: str
    server: str
    instance: str
    helm: str
    kubectl: str
    nodes: Tuple[str, ...]
    changes: Tuple[str, ...]

    def client(self, **options):
        """Return an API client of this cluster."""
        return Client(self.server, credentials.read_token(self.directory), self.directory / "pki" / "ca.crt", **options)


def up(name, nodes=None, state_dir=None, options=None, progress=print):
    """Make sure that the cluster runs, healthy, with exactly these simulated nodes and options; None leaves them as they are."""
    directory = instance_directory(name, state_dir)
    options = _checked(options)
    wanted = None if nodes is None else manifests(nodes, describe)
    programs = Finder(progress).get(control_plane.PROGRAMS + ("kubectl", "helm"))
    changes = []
    with states.locked(directory, lambda: progress("waiting for another command on testbed %s" % name)):
        plane = ControlPlane(directory, states.load(directory), progress)
        try:
            plane = _running(plane, name, options, programs, changes)
            _apply_options(plane, options, changes)
            names = _reconcile(plane, wanted, changes)
        except BaseException:
            _abandon(plane, new=_START in changes)
            raise
        return _cluster(plane, names, changes)


def _checked(options):
    if options is None:
        return None
    delay = [float(each) for each in options.configmap_delay]
    if len(delay) != 2 or not 0 <= delay[0] <= delay[1] <= 3600:
        rule = "must be two numbers of seconds from 0 to 3600, the smaller one first"
        raise BadInput([problem("configmap_delay", delay, rule, "write [60, 90] for what kubelet does")])
    return Options(tuple(delay), bool(options.large))


def _context(name):
    return "gpuops-testbed-" + name


def _running(plane, name, options, programs, changes):
    """Return a healthy control plane: the one that runs, the same repaired, or a new one."""
    if plane.state and any(plane.runs(each) for each in plane.expected()):
        dead = [each for each in plane.expected() if not plane.runs(each)]
        if not dead and _is_ours(plane):
            return plane
        if _repaired(plane, dead, changes):
            return plane
        plane.progress("%s: the running instance is beyond repair, starting it from nothing" % name)
    return _fresh(plane, name, options, programs, changes)


def _repaired(plane, dead, changes):
    # A busy machine may leave a healthy API server without a word for a while: that is no reason to throw the cluster away.
    plane.progress("restarting what has ended: " + ", ".join(dead) if dead else "waiting for %s to answer" % plane.server)
    try:
        plane.start_missing()
        _until(lambda: _is_ours(plane), plane, _REPAIR_SECONDS)
    except TestbedError as error:
        plane.progress(str(error))
        return False
    if dead:
        changes.append("restart " + ", ".join(dead))
    return True


def _fresh(old, name, options, programs, changes):
    directory = old.directory
    _end_processes(directory, old.state)
    shutil.rmtree(str(directory), ignore_errors=True)
    for part in (directory, directory / "logs", directory / "pki", directory / "etcd"):
        make_private(part)
    state = states.new(name, (options or Options())._asdict())
    state["context"] = _context(name)
    state["programs"] = {each.name: each.path for each in programs.values()}
    state["versions"] = {each.name: each.version for each in programs.values()}
    states.save(directory, state)
    # The caller's object goes on, so that it knows what was started when something fails.
    old.state = state
    began = time.monotonic()
    changes.append(_START)
    credentials.create(directory / "pki")
    old.start_etcd()
    old.start_api_server()
    # Before the others: the simulator writes only to a cluster that carries this instance's mark.
    _until(lambda: _mark(old), old, 60.0)
    old.start_missing()
    old.progress("%s: control plane ready after %.1f s (%s)" % (name, time.monotonic() - began, old.server))
    return old


def _mark(plane):
    """Write the ConfigMap by which tools know a cluster that this code started; its namespace may still be on its way."""
    marker = {
        "metadata": {"name": _MARKER_NAME, "labels": {"app.kubernetes.io/managed-by": "gpuops"}},
        "data": {"instance": plane.state["instance"], "name": plane.state["name"]},
    }
    try:
        plane.client().request("POST", _MARKER, marker)
    except ApiError as error:
        if error.status not in (0, 403, 404, 409, 500, 503):
            raise
        return error.status == 409
    return True


def _is_ours(plane):
    """Tell whether the API server is ready and holds this instance's marker."""
    try:
        client = plane.client(timeout=10.0)
        client.request("GET", "/readyz")
        marker = client.request("GET", "%s/%s" % (_MARKER, _MARKER_NAME))
    except (ApiError, OSError):
        return False
    return marker.get("data", {}).get("instance") == plane.state["instance"]


def _until(condition, plane, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        plane.check_all()
        if time.monotonic() > deadline:
            raise TestbedError("the API server is not usable after %d s; fix: look at %s" % (seconds, plane.directory / "logs"))
        time.sleep(0.05)


def _apply_options(plane, options, changes):
    lines = _option_changes(plane.state["options"], options)
    if lines:
        large = plane.state["options"]["large"]
        plane.state["options"] = options._asdict()
        plane.stop([control_plane.SIMULATOR] if large == options.large else plane.expected())
        plane.start_missing()
        changes += lines


def _option_changes(recorded, options):
    """Return what differs from the recorded options, as short sentences."""
    lines = []
    if options is None:
        return lines
    if list(recorded["configmap_delay"]) != list(options.configmap_delay):
        lines.append("set the ConfigMap delay to %g to %g s" % options.configmap_delay)
    if recorded["large"] != options.large:
        lines.append("restart the control plane for a %s fleet" % ("large" if options.large else "small"))
    return lines


def _reconcile(plane, wanted, changes):
    """Bring the nodes to what is wanted and wait until they are ready; return their names."""
    client = plane.client()
    live = fleet.live_nodes(client)
    if wanted is None:
        names = [node["metadata"]["name"] for node in live]
    else:
        plan = fleet.plan(live, wanted)
        names = [node["metadata"]["name"] for node in wanted]
        for line in plan.lines():
            plane.progress("nodes: " + line)
        fleet.apply(client, plan, plane.progress)
        changes += plan.lines()

    fleet.wait_ready(client, names, plane.check_all, plane.progress, _READY_SECONDS + len(names) / 10.0)
    plane.check_all()
    return names


def _abandon(plane, new):
    """After a failure or Ctrl-C: end what this call started; the logs stay, to be read."""
    processes.stop(plane.started, grace=1.0)
    if new:
        _end_processes(plane.directory, plane.state)
        (plane.directory / "state.json").unlink(missing_ok=True)


def _end_processes(directory, state):
    """End what is recorded, and what was started for this directory and did not get recorded."""
    records = list((state or {}).get("processes", []))
    known = {each["pid"] for each in records}
    records += [each for each in processes.marked(directory) if each["pid"] not in known]
    # Nothing of them is kept, so nobody waits for the API server to finish its minute of farewells.
    processes.stop(records, grace=1.0)


def _cluster(plane, names, changes):
    state = plane.state
    return Cluster(
        name=state["name"],
        directory=plane.directory,
        kubeconfig=str(plane.directory / "kubeconfig"),
        context=state["context"],
        server=plane.server,
        instance=state["instance"],
        helm=state["programs"]["helm"],
        kubectl=state["programs"]["kubectl"],
        nodes=tuple(names),
        changes=tuple(changes),
    )


def get(name, state_dir=None):
    """Return the running cluster of that name; TestbedError when it does not run."""
    plane = _attached(name, state_dir)
    return _cluster(plane, [node["metadata"]["name"] for node in fleet.live_nodes(plane.client())], ())


def _attached(name, state_dir):
    directory = instance_directory(name, state_dir)
    plane = ControlPlane(directory, states.load(directory), print)
    if not plane.state or not plane.runs(control_plane.ETCD):
        raise TestbedError("testbed %s does not run; fix: start it with: up --name %s" % (name, name))
    return plane


def preview(name, nodes=None, state_dir=None, options=None):
    """Return what up would change, as short sentences, and change nothing."""
    directory = instance_directory(name, state_dir)
    options = _checked(options)
    wanted = None if nodes is None else manifests(nodes, describe)
    plane = ControlPlane(directory, states.load(directory), print)
    dead = [each for each in plane.expected() if not plane.state or not plane.runs(each)]
    if len(dead) == len(plane.expected()):
        return [_START] + fleet.plan([], wanted or []).lines()
    changes = ["restart " + ", ".join(dead)] if dead else []
    changes += _option_changes(plane.state["options"], options)
    # Without an API server nobody knows its nodes; that something changes is certain then.
    if wanted is not None and _is_ours(plane):
        changes += fleet.plan(fleet.live_nodes(plane.client()), wanted).lines()
    return changes


def foresee(name, nodes=None, state_dir=None):
    """Return the cluster as it would be after up, as far as that is known before; changes nothing."""
    directory = instance_directory(name, state_dir)
    plane = ControlPlane(directory, states.load(directory), print)
    if plane.state and plane.runs(control_plane.API_SERVER) and _is_ours(plane):
        made = get(name, state_dir)
    else:
        made = Cluster(name, directory, str(directory / "kubeconfig"), _context(name), "", "", "", "", (), ())
    if nodes is None:
        return made
    return made._replace(nodes=tuple(node["metadata"]["name"] for node in manifests(nodes, describe)))


def status(name, state_dir=None):
    """Return what is known about an instance; its `state` is absent, stopped, degraded or running."""
    directory = instance_directory(name, state_dir)
    plane = ControlPlane(directory, states.load(directory), print)
    if not plane.state:
        return {"name": name, "state": "absent", "directory": str(directory), "processes": [], "nodes": {"total": 0, "ready": 0}}
    running = [{"name": each, "alive": plane.runs(each), "pid": (plane.record(each) or {}).get("pid")} for each in plane.expected()]
    alive = [each["alive"] for each in running]
    result = {
        "name": name,
        "state": "running" if all(alive) and _is_ours(plane) else "degraded" if any(alive) else "stopped",
        "directory": str(directory),
        "instance": plane.state["instance"],
        "context": plane.state.get("context"),
        "kubeconfig": str(directory / "kubeconfig"),
        "versions": plane.state["versions"],
        "processes": running,
        "nodes": {"total": 0, "ready": 0},
    }
    if result["state"] == "running":
        nodes = fleet.live_nodes(plane.client())
        result["server"] = plane.server
        result["nodes"] = {"total": len(nodes), "ready": sum(fleet.is_ready(node) for node in nodes)}
    return result


def exists(name, state_dir=None):
    """Tell whether there is anything that down would end or remove, be it the logs of a start that failed."""
    directory = instance_directory(name, state_dir)
    return directory.exists() or bool(processes.marked(directory))


def down(name, state_dir=None, progress=print):
    """End the instance and remove everything it had; return whether there was anything."""
    if not exists(name, state_dir):
        return False
    directory = instance_directory(name, state_dir)
    with states.locked(directory, lambda: progress("waiting for another command on testbed %s" % name)):
        _end_processes(directory, states.load(directory))
        shutil.rmtree(str(directory), ignore_errors=True)
    return True


def list_instances(state_dir=None):
    """Return the names of all instances that have a record."""
    root = Path(state_dir) if state_dir else state_root()
    return sorted(path.parent.name for path in root.glob("*/state.json"))


def kill_api_server(name, state_dir=None):
    """Kill the API server at once, as a crash would; everything else keeps running."""
    plane = _attached(name, state_dir)
    with states.locked(plane.directory):
        plane.stop([control_plane.API_SERVER], grace=0.0)


def start_api_server(name, state_dir=None):
    """Start a killed API server again, on the same port and with the same data, and wait until it is ready."""
    plane = _attached(name, state_dir)
    with states.locked(plane.directory):
        plane.start_api_server()
