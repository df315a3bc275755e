# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command line of the testbed: up, status, down, binaries."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

try:
    import yaml
except ImportError:
    yaml = None

from . import cluster
from .binaries import overview
from .errors import BadInput, TestbedError, problem
from .nodes import VARIABLE


def main(arguments=None):
    """Run one command; return 0 (done), 1 (failed) or 2 (bad input)."""
    options = _parser().parse_args(arguments)
    # So that a polite kill cleans up just as Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return options.run(options)
    except BadInput as error:
        _say("bad input:\n%s" % error)
        return 2
    except TestbedError as error:
        _say("failed: %s" % error)
        return 1
    except KeyboardInterrupt:
        _say("interrupted: what this command had started is ended")
        return 1


def _interrupt(number, frame):
    raise KeyboardInterrupt()


def _parser():
    parser = argparse.ArgumentParser(prog="testbed", description="A Kubernetes control plane with simulated GPU nodes, on this machine.")
    commands = parser.add_subparsers(dest="command", metavar="up|status|down|binaries")
    commands.required = True
    for name, run, text in (
        ("up", _up, "start a cluster, or bring a running one to what is asked for"),
        ("status", _status, "show one cluster, or all of them"),
        ("down", _down, "end a cluster and remove what it had"),
        ("binaries", _binaries, "get the programs that a cluster consists of, and say where each came from"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        if name in ("up", "down"):
            command.add_argument("--name", default="demo", help="name of the cluster (default: demo)")
        if name == "status":
            command.add_argument("--name", help="name of the cluster (default: all)")
        if name in ("up", "status"):
            command.add_argument("--json", action="store_true", help="print the result as JSON")
        if name == "up":
            text = "YAML file with a list of node descriptions, or with the variable " + VARIABLE
            command.add_argument("--nodes", metavar="FILE", help=text)
            text = "seconds until a changed ConfigMap reaches pods (default: as it is, at first 60 90, as kubelet)"
            command.add_argument("--configmap-delay", nargs=2, type=float, metavar=("MIN", "MAX"), help=text)
            text = "for thousands of nodes: twice the memory for two thirds of the processor time"
            command.add_argument("--large", action="store_true", help=text)
        if name == "binaries":
            command.add_argument("--list", action="store_true", help="only show what is there, get nothing")
    return parser


def _say(text):
    """Print progress and errors beside the result."""
    print(text, file=sys.stderr, flush=True)


def _up(options):
    nodes = _read_nodes(options.nodes) if options.nodes else None
    wanted = None
    if options.configmap_delay or options.large:
        wanted = cluster.Options(tuple(options.configmap_delay or cluster.Options().configmap_delay), options.large)
    made = cluster.up(options.name, nodes, options=wanted, progress=_say)
    if options.json:
        result = dict(made._asdict(), directory=str(made.directory))
        print(json.dumps(result, indent=2))
        return 0
    print("%s: running, %d simulated nodes, %s" % (made.name, len(made.nodes), "; ".join(made.changes) or "nothing to do"))
    print("  export KUBECONFIG=%s" % made.kubeconfig)
    print("  kubectl  %s" % made.kubectl)
    print("  helm     %s" % made.helm)
    return 0


def _read_nodes(path):
    if yaml is None:
        raise TestbedError("--nodes needs the Python package PyYAML; fix: install it")
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput([problem("--nodes", path, "cannot be read: %s" % error, "give a YAML file")]) from error
    return data[VARIABLE] if isinstance(data, dict) and VARIABLE in data else data


def _status(options):
    names = [options.name] if options.name else cluster.list_instances()
    found = [cluster.status(name) for name in names]
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    if not found:
        print("no testbed runs")
    for each in found:
        nodes = each["nodes"]
        print("%-20s %-9s %d of %d nodes ready  %s" % (each["name"], each["state"], nodes["ready"], nodes["total"], each["directory"]))
        for process in each["processes"]:
            word = "pid %d" % process["pid"] if process["alive"] else "ended"
            print("  %-26s %-12s %s" % (process["name"], word, each["versions"].get(process["name"], "")))
    return 0


def _down(options):
    print("%s: %s" % (options.name, "ended and removed" if cluster.down(options.name, progress=_say) else "was not there"))
    return 0


def _binaries(options):
    print("%-26s %-9s %-9s %s" % ("PROGRAM", "VERSION", "FROM", "PATH"))
    complete = True
    for tool, program in overview(_say, make=not options.list):
        complete = complete and program is not None
        where = (program.version, program.source, program.path) if program else (tool.version, "missing", "")
        print("%-26s %-9s %-9s %s" % ((tool.name,) + where))
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
