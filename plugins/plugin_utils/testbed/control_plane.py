# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The processes of one instance: their flags, their order, and how one knows that they answer."""

from __future__ import annotations

import http.client
import json
import random
import socket
import sys
import time
from pathlib import Path

from . import credentials, processes, state as states
from .client import ApiError, Client
from .errors import TestbedError
from .paths import write_private
from .stages import SELECTOR, kwok_configuration

ETCD, API_SERVER, CONTROLLERS, SCHEDULER, KWOK, SIMULATOR = ORDER = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
    "simulator",
)
PROGRAMS = ORDER[:5]
_ATTEMPTS = 5
_LOWEST_PORT = 20000
_TAKEN = "address already in use"
_START_SECONDS = 120.0
_PORT_SECONDS = 30.0


def free_ports(count):
    """Return that many loopback ports which are free now; another program may still take one before it is used.

    Below the kernel's range for outgoing connections: while a server is down, one of the clients that keep knocking would
    otherwise be given the very port it knocks at, connect to itself, and hold the port when the server comes back.
    """
    sockets = []
    try:
        while len(sockets) < count:
            each = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sockets.append(each)
            try:
                each.bind(("127.0.0.1", random.randrange(_LOWEST_PORT, first_outgoing_port())))
            except OSError:
                sockets.pop().close()
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def wait_until_free(ports, seconds):
    """Wait until these ports can be listened on again.

    A killed server looks dead as soon as its first thread is, and holds its sockets until the last one is.
    """
    deadline = time.monotonic() + seconds
    for port in ports:
        while not _is_free(port):
            if time.monotonic() > deadline:
                raise TestbedError("port %d is still in use after %d s; fix: end the program that listens on it" % (port, seconds))
            time.sleep(0.05)


def _is_free(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as each:
        # As Go's listeners do; connections that linger in TIME_WAIT are no obstacle.
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            each.bind(("127.0.0.1", port))
            each.listen(1)
        except OSError:
            return False
    return True


def first_outgoing_port():
    """Return the first port that the kernel gives to outgoing connections."""
    try:
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        low = 0
    return low if low > _LOWEST_PORT + 1000 else 32768


class ControlPlane:
    """Starts the processes of an instance and records each the moment it runs."""

    def __init__(self, directory, state, progress):
        self.directory = directory
        self.state = state
        self.progress = progress
        self.started = []  # records of what this object started

    @property
    def pki(self):
        return self.directory / "pki"

    @property
    def server(self):
        return "https://127.0.0.1:%d" % self.state["ports"]["kube-apiserver"]

    def client(self, **options):
        """Return a client of the API server; only once ca.crt is written."""
        return Client(self.server, credentials.read_token(self.directory), self.pki / "ca.crt", **options)

    def record(self, name):
        """Return the record of a process, or None."""
        return next((each for each in self.state["processes"] if each["name"] == name), None)

    def runs(self, name):
        """Tell whether the process of that name is alive."""
        record = self.record(name)
        return record is not None and processes.alive(record)

    def expected(self):
        """Return the names of all processes that an instance consists of."""
        return list(ORDER)

    def start_missing(self):
        """Start, in order, every process that is not alive; return the names of those started."""
        missing = [name for name in self.expected() if not self.runs(name)]
        for name in missing:
            {ETCD: self.start_etcd, API_SERVER: self.start_api_server}.get(name, lambda n=name: self._start(n))()
        return missing

    def start_etcd(self):
        """Start etcd and wait until it is our own member that answers."""
        self._start_listening(ETCD, ("etcd", "etcd-peer"), self._etcd_answers)

    def start_api_server(self):
        """Start the API server, wait until it is ready, and write what clients need."""
        self._start_listening(API_SERVER, ("kube-apiserver",), self._api_server_answers)
        credentials.write_kubeconfig(self.directory, self.state["context"], self.server)

    def stop(self, names, grace=3.0):
        """End processes by name of the record, and forget them."""
        records = [each for each in self.state["processes"] if each["name"] in names]
        processes.stop(records, grace)
        self.state["processes"] = [each for each in self.state["processes"] if each["name"] not in names]
        states.save(self.directory, self.state)

    def check_all(self):
        """Raise with the end of its log when a started process has ended."""
        for record in self.state["processes"]:
            if not processes.alive(record):
                raise TestbedError(self._ended(record["name"], 0))

    def _start(self, name):
        if name == SIMULATOR:
            command, environment = _simulator(self.directory)
        else:
            command = [self.state["programs"][name]] + _FLAGS[name](self)
            # Measured with 5,000 nodes and as many pods: 150 s of processor time instead of 240, 3.5 GB instead of 1.9.
            environment = {"GOGC": "400"} if self.state["options"]["large"] else {}
        record = processes.start(name, command, self.directory, environment)
        self.started.append(record)
        self.state["processes"] = [each for each in self.state["processes"] if each["name"] != name] + [record]
        states.save(self.directory, self.state)
        return record

    def _start_listening(self, name, ports, answers):
        """Start a server; where a port was taken since it was chosen, choose another."""
        for attempt in range(_ATTEMPTS):
            chosen = all(port in self.state["ports"] for port in ports)
            if not chosen or attempt:
                self.state["ports"].update(zip(ports, free_ports(len(ports))))
            else:
                wait_until_free([self.state["ports"][port] for port in ports], _PORT_SECONDS)
            since = processes.log_size(self.directory, name)
            record = self._start(name)
            if self._wait(record, answers):
                return
            if _TAKEN not in processes.log_tail(self.directory, name, since, lines=60) or (chosen and attempt == 0):
                break
            self.progress("%s: port %d was taken meanwhile, trying another" % (name, self.state["ports"][ports[0]]))
        raise TestbedError(self._ended(name, since))

    def _wait(self, record, answers):
        """Wait until the server answers (true) or its process ends (false)."""
        deadline = time.monotonic() + _START_SECONDS
        while processes.alive(record):
            if answers():
                return True
            if time.monotonic() > deadline:
                tail = processes.log_tail(self.directory, record["name"])
                raise TestbedError("%s does not answer after %d s; its log ends with:\n%s" % (record["name"], _START_SECONDS, tail))
            time.sleep(0.05)
        return False

    def _ended(self, name, since):
        log = self.directory / "logs" / (name + ".log")
        tail = processes.log_tail(self.directory, name, since)
        return "%s ended; its log (%s) ends with:\n%s" % (name, log, tail or "(nothing)")

    def _etcd_answers(self):
        # By name, because on a port that was taken meanwhile a stranger's etcd would answer as well.
        connection = http.client.HTTPConnection("127.0.0.1", self.state["ports"]["etcd"], timeout=5)
        try:
            connection.request("POST", "/v3/cluster/member/list", body="{}", headers={"Content-Type": "application/json"})
            members = json.loads(connection.getresponse().read()).get("members", [])
        except (OSError, ValueError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return [member.get("name") for member in members] == [self.state["instance"]]

    def _api_server_answers(self):
        # A stranger's server on the same port fails here: its certificate is not from our CA.
        if not (self.pki / "apiserver.crt").exists():
            return False
        try:
            if not (self.pki / "ca.crt").exists():
                credentials.write_ca(self.pki)
            # /readyz answers with the text "ok", which the client returns as nothing
            self.client(connections=1, timeout=5.0).request("GET", "/readyz")
        except (ApiError, TestbedError):
            return False
        return True


def _etcd_flags(plane):
    client, peer = ("http://127.0.0.1:%d" % plane.state["ports"][port] for port in ("etcd", "etcd-peer"))
    return [
        "--name=" + plane.state["instance"],
        "--data-dir=%s" % (plane.directory / "etcd"),
        "--listen-client-urls=" + client,
        "--advertise-client-urls=" + client,
        "--listen-peer-urls=" + peer,
        "--initial-advertise-peer-urls=" + peer,
        "--initial-cluster=%s=%s" % (plane.state["instance"], peer),
        # A disposable cluster outlives killed processes, not a power cut.
        "--unsafe-no-fsync",
        "--quota-backend-bytes=%d" % (8 << 30),
        "--auto-compaction-retention=5m",
        "--log-level=warn",
    ]


def _api_server_flags(plane):
    return [
        "--etcd-servers=http://127.0.0.1:%d" % plane.state["ports"]["etcd"],
        "--bind-address=127.0.0.1",
        "--secure-port=%d" % plane.state["ports"]["kube-apiserver"],
        # Never contacted; without it a machine with no default route cannot start.
        "--advertise-address=192.0.2.1",
        "--endpoint-reconciler-type=none",
        "--cert-dir=%s" % plane.pki,
        "--token-auth-file=%s" % (plane.pki / "tokens.csv"),
        "--anonymous-auth=false",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=%s" % (plane.pki / "service-account.key"),
        "--service-account-signing-key-file=%s" % (plane.pki / "service-account.key"),
        "--service-cluster-ip-range=10.96.0.0/16",
        # Pods run nothing: tokens mounted into them would only cost a wait for their service account.
        # Simulated nodes are born ready: a taint against new ones would be taken off again at once, one write a node.
        "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
        # The DaemonSets of GFD and MPS are privileged.
        "--allow-privileged=true",
        "--profiling=false",
    ]


def _client_flags(plane):
    return ["--kubeconfig=%s" % (plane.directory / "kubeconfig"), "--leader-elect=false", "--secure-port=0"] + [
        # The defaults (20 to 50 requests a second) make 1,000 nodes take three times as long.
        "--kube-api-qps=1000",
        "--kube-api-burst=2000",
        "--profiling=false",
    ]


def _controller_flags(plane):
    return _client_flags(plane) + [
        "--service-account-private-key-file=%s" % (plane.pki / "service-account.key"),
        "--root-ca-file=%s" % (plane.pki / "ca.crt"),
        # It rewrites every node when the cluster grows past 100, 500, 1,000 and 2,000 nodes, for kubelets that are not there.
        "--controllers=*,-ttl-controller",
        # Simulated nodes report every few hours: 5,000 heartbeats every few seconds would be the main load.
        "--node-monitor-grace-period=24h",
        "--node-monitor-period=60s",
    ]


def _kwok_flags(plane):
    configuration = write_private(plane.directory / "kwok.yml", kwok_configuration())
    return [
        "--kubeconfig=%s" % (plane.directory / "kubeconfig"),
        "--config=%s" % configuration,
        "--manage-nodes-with-annotation-selector=" + SELECTOR,
        "--cidr=10.128.0.0/9",
        # No leases: a restarted KWOK would have to wait until those of its predecessor have run out.
        "--node-lease-duration-seconds=0",
        "--v=WARN",
    ]


_FLAGS = {
    ETCD: _etcd_flags,
    API_SERVER: _api_server_flags,
    CONTROLLERS: _controller_flags,
    SCHEDULER: _client_flags,
    KWOK: _kwok_flags,
}


def _simulator(directory):
    """Return command and environment of the simulator, which runs with the interpreter that runs us."""
    # A tree of its own leads to this very collection, wherever it lies; its __init__.py keeps a regular package
    # ansible_collections in site-packages from hiding it.
    root = directory / "python" / "ansible_collections" / "gpuops"
    root.mkdir(parents=True, exist_ok=True)
    for package in (root, root.parent):
        (package / "__init__.py").touch()
    link = root / "kubernetes"
    if not link.is_symlink():
        link.symlink_to(Path(__file__).absolute().parents[3])
    module = "ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator"
    # Nothing is compiled into the collection, which may be read-only.
    environment = {"PYTHONPATH": str(directory / "python"), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return [sys.executable, "-m", module, "--state-dir", str(directory)], environment
