# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disposable hosts for tests: systemd as PID 1, ssh, apt.

Ends with 0, with 1 where something failed or differs, with 2 for a wrong command line, and with 77 where this machine
cannot have test hosts; then the last line on stderr is "NOT RUN: " and the reason.
"""

from __future__ import annotations

import argparse
import json
import sys
import typing as t
from pathlib import Path

from tests.hosts import access, fleet, images, lookalikes, machine, records, snapshots

NOT_RUN = 77


def _mount(text: str) -> t.Tuple[str, str]:
    source, colon, destination = text.partition(":")
    if not (colon and source.startswith("/") and destination.startswith("/")):
        raise argparse.ArgumentTypeError("%r must be /SOURCE:/DESTINATION" % text)
    return source, destination


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m tests.hosts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = top.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("up", help="make hosts, or keep those that run with the same options, and wait until they answer")
    verb.add_argument("names", nargs="+", metavar="NAME")
    verb.add_argument("--suite", choices=images.SUITES, default=records.Options.suite)
    verb.add_argument("--like", choices=sorted(lookalikes.LOOKALIKES), default="", help="say that it is this distribution; it stays Debian")
    verb.add_argument("--mount", action="append", type=_mount, default=[], metavar="SOURCE:DESTINATION", help="read-only; may be repeated")
    verb.add_argument("--vm", action="store_true", help="a virtual machine with a kernel of its own")
    verb.add_argument("--memory", type=int, default=records.Options.memory_mib, metavar="MIB", help="of a virtual machine")
    verb = verbs.add_parser("down", help="remove hosts and all that is theirs")
    verb.add_argument("names", nargs="*", metavar="NAME")
    verb.add_argument("--all", action="store_true")
    for name, text in (("reboot", "reboot from inside"), ("kill", "take the power away, and give it back")):
        verbs.add_parser(name, help=text + ", and wait until the host is back").add_argument("name", metavar="NAME")
    verb = verbs.add_parser("exec", help="run a command on a host")
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("command", nargs="+", metavar="-- COMMAND")
    for name, text in (("snapshot", "write down what the host is like"), ("compare", "print each difference in a line, and end with 1 for any")):
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("name", metavar="NAME")
        verb.add_argument("file", type=Path, metavar="FILE")
    verbs.add_parser("prepare", help="install and build what hosts are made from, and end with 77 where that cannot be")
    verbs.add_parser("list", help="print the recorded hosts as JSON")
    verbs.add_parser("ssh-config", help="print the path of the ssh configuration, for ssh -F")
    return top


def _perform(arguments: argparse.Namespace) -> int:
    if arguments.verb == "up":
        options = records.Options(arguments.suite, arguments.like, tuple(arguments.mount), arguments.vm, arguments.memory)
        for host in fleet.up(arguments.names, options):
            print(host.name, host.address)
    elif arguments.verb == "down":
        if not arguments.names and not arguments.all:
            parser().error("down needs names, or --all")
        fleet.down(None if arguments.all else arguments.names)
    elif arguments.verb in ("reboot", "kill"):
        getattr(fleet, arguments.verb)(arguments.name)
    elif arguments.verb == "exec":
        streams = {"stdin": None, "stdout": None, "stderr": None}
        return fleet.run(records.get(arguments.name), *arguments.command, check=False, **streams).returncode
    elif arguments.verb == "snapshot":
        snapshots.save(snapshots.take(records.get(arguments.name)), arguments.file)
    elif arguments.verb == "compare":
        found = snapshots.differences(snapshots.load(arguments.file), snapshots.take(records.get(arguments.name)))
        print("".join(line + "\n" for line in found), end="")
        return 1 if found else 0
    elif arguments.verb == "prepare":
        machine.require(machine.PACKAGES)
        print(images.ensure(records.Options.suite))
    elif arguments.verb == "list":
        print(json.dumps(fleet.states(), indent=1))
    else:
        print(access.configuration())
    return 0


def main(words: t.Optional[t.Sequence[str]] = None) -> int:
    """Run the command line."""
    arguments = parser().parse_args(words)
    try:
        return _perform(arguments)
    except machine.NotPossible as error:
        print("NOT RUN: %s" % str(error).replace("\n", " "), file=sys.stderr)
        return NOT_RUN
    except machine.HostError as error:
        print("hosts: %s" % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("hosts: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
