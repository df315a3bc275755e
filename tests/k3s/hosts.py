# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bare test hosts, a mirror with releases of the stand-in, and playbooks that make a cluster of them, or are to refuse it."""

from __future__ import annotations

import concurrent.futures
import http.server
import json
import threading
import typing as t
import urllib.parse
from pathlib import Path

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import binaries, control_plane, paths
from tests.hosts import engine, fleet, records, snapshots, standin_build

ROOT = Path(__file__).resolve().parents[2]
VERSION = "v1.35.5+k3s1"
SERVER, AGENT, THIRD = NAMES = ("k3s-a", "k3s-b", "k3s-c")
# Test hosts see the memory of the machine.
ALWAYS = {"k3s_version": VERSION, "k3s_ignored_checks": ["memory"], "k3s_wait_timeout": 120}
# What nothing may change that is refused. What a running node writes all the time is left out.
WATCHED = "/etc /home /opt /root /srv /usr /var/lib"
BUSY = "*/.ansible /var/lib/rancher/k3s/server /var/lib/rancher/k3s/agent /var/lib/rancher/k3s/standin /var/lib/systemd /var/lib/private /var/lib/kubelet"
STAMP = "/run/k3s-test-stamp"


class Mirror(http.server.ThreadingHTTPServer):
    """Serves a directory of releases to the hosts, and is a proxy that asks for a password; C(breaks) lets it die in the middle of each program."""

    def __init__(self, directory: Path) -> None:
        super().__init__((engine.network().gateway, 0), _Answer)
        self.directory, self.breaks, self.proxied = directory, False, []
        self.url = "http://%s:%d" % (engine.network().gateway, self.server_port)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def through(self, user: str, password: str) -> str:
        """Return the address of the proxy that this mirror is too."""
        return self.url.replace("://", "://%s:%s@" % (user, password))


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        place = urllib.parse.urlsplit(self.path)
        if place.netloc:
            self.server.proxied.append(self.headers.get("Proxy-Authorization"))
        path = self.server.directory / urllib.parse.unquote(place.path).lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.server.breaks and path.suffix != ".txt" else content)

    def log_message(self, *_words: t.Any) -> None:  # pylint: disable=arguments-differ
        pass


class Hosts:
    """The hosts by name, and what can be done with them. C(releases) is a directory, C(mirror) the same by URL."""

    def __init__(self, directory: Path, player: t.Callable) -> None:
        self._directory, self._player, self._inventories = directory, player, 0
        self.releases = directory / "releases"
        self.hosts: t.Dict[str, records.Host] = {}
        self.mirror: t.Optional[Mirror] = None

    def start(self) -> None:
        """Build the releases, and bring hosts and mirror up. Raises NotPossible where this machine cannot have hosts."""
        binaries.Finder(print).get(control_plane.PROGRAMS + ("kubectl",))
        standin_build.build(self.releases, [VERSION], architectures=("amd64",))
        self.renew()
        self.mirror = Mirror(self.releases)

    def close(self) -> None:
        """End what start() has begun."""
        if self.mirror:
            self.mirror.shutdown()
            self.mirror.server_close()
        fleet.down()

    def renew(self, *names: str) -> None:
        """Make hosts as new, all of them unless some are named."""
        fleet.down(names or NAMES)
        mounts = ((str(paths.cache_root() / "bin"), "/opt/standin/bin"),)
        self.hosts.update({host.name: host for host in fleet.up(names or NAMES, records.Options(mounts=mounts))})

    def run(self, name: str, script: str, **options: t.Any) -> str:
        """Run a script of sh on a host and return what it prints."""
        return fleet.run(self.hosts[name], "sh", "-c", script, **options).stdout

    def play(self, servers: t.Any, agents: t.Any, *more: str, playbook: str = "hosts.yml", **variables: t.Any) -> t.Tuple[int, str, int]:
        """Return exit status, output and the number of changed tasks of a run.

        :param servers: names of hosts, or a mapping of names to variables, in the order of the inventory; agents likewise
        """
        self._inventories += 1
        directory = self._directory / ("run-%d" % self._inventories)
        directory.mkdir()
        values = {**ALWAYS, "k3s_artifact_url": str(self.releases), "gpu_kubeconfig_dir": str(self._directory / "kubeconfigs"), **variables}
        groups = {"gpu_clusters": {"lab": {}}, "k3s_servers": servers, "k3s_agents": agents}
        children = {group: {"hosts": hosts if isinstance(hosts, dict) else dict.fromkeys(hosts, {})} for group, hosts in groups.items()}
        (directory / "inventory.json").write_text(json.dumps({"all": {"vars": values, "children": children}}), encoding="utf-8")
        return self._player(playbook, directory / "inventory.json", "-i", str(ROOT / "tests" / "hosts" / "inventory.py"), *more)

    @property
    def kubeconfig(self) -> Path:
        return self._directory / "kubeconfigs" / "lab.yaml"

    def nodes(self) -> t.Dict[str, str]:
        """Return which nodes the API knows, and whether they are Ready."""
        items = json.loads(self.run(SERVER, "k3s kubectl get nodes -o json"))["items"]
        return {node["metadata"]["name"]: each["status"] for node in items for each in node["status"]["conditions"] if each["type"] == "Ready"}

    def stamp(self) -> None:
        """Take note of the moment and of the processes from which on nothing may change."""
        self._each("touch %s; systemctl show 'k3s*' -p MainPID --value > %s.pids" % (STAMP, STAMP))

    def changes(self) -> t.Dict[str, str]:
        """Return what has changed on hosts since then, by name."""
        left_out = " -o ".join("-path '%s'" % path for path in BUSY.split())
        processes = "systemctl show 'k3s*' -p MainPID --value | cmp - %s.pids" % STAMP
        found = self._each("find %s -xdev \\( %s \\) -prune -o -cnewer %s -print; %s" % (WATCHED, left_out, STAMP, processes))
        return {name: lines for name, lines in found.items() if lines}

    def snapshots(self) -> t.List[t.Any]:
        """Return what the hosts are like."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            return list(pool.map(snapshots.take, self.hosts.values()))

    def differences(self, before: t.List[t.Any]) -> t.List[str]:
        """Return how they differ from what they were like."""
        return [line for old, new in zip(before, self.snapshots()) for line in snapshots.differences(old, new)]

    def _each(self, script: str) -> t.Dict[str, str]:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            return dict(zip(NAMES, pool.map(lambda name: self.run(name, script, check=False), NAMES)))


def flat(output: str) -> str:
    """Return what was printed in one line."""
    return " ".join(output.split())


def lacking(output: str, *words: str) -> t.List[str]:
    """Return those texts that are not in what was printed, wherever lines were broken."""
    return [word for word in words if word not in flat(output)]
