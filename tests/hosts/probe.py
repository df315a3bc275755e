# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what a host is like as JSON: {category: {name: text}}. Runs on the host, with its Python and the standard library only.

The one argument is JSON too: {category: [patterns of names to leave out]}, and under "roots" the directories to walk.
"""

from __future__ import annotations

import fnmatch
import grp
import hashlib
import json
import os
import pwd
import re
import stat
import subprocess
import sys

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFSOCK: "socket", stat.S_IFIFO: "fifo", stat.S_IFCHR: "character device",
         stat.S_IFBLK: "block device"}


def output(*command):
    """Return the lines that a command prints; none where it is missing or fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, universal_newlines=True, check=False)
    except FileNotFoundError:
        return []
    return done.stdout.splitlines()


def read(path):
    """Return a file's text with blanks made single; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return " ".join(file.read().split())
    except OSError:
        return ""


def owner(status):
    """Return user and group of a file, as names where they have one."""
    try:
        user = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        user = str(status.st_uid)
    try:
        return user + ":" + grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        return user + ":" + str(status.st_gid)


def describe(path):
    """Return all that matters of a file in one line."""
    status = os.lstat(path)
    kind = KINDS[stat.S_IFMT(status.st_mode)]
    text = "%s %04o %s" % (kind, stat.S_IMODE(status.st_mode), owner(status))
    if kind == "link":
        return text + " -> " + os.readlink(path)
    if kind == "file":
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            for chunk in iter(lambda: file.read(1 << 20), b""):
                digest.update(chunk)
        return text + " %d bytes, sha256 %s" % (status.st_size, digest.hexdigest())
    return text


def files(roots, left_out):
    """Walk the directories; what is left out is not entered."""
    found = {}
    ignored = re.compile("|".join(fnmatch.translate(pattern) for pattern in left_out) or r"(?!)")
    waiting = [root for root in roots if os.path.isdir(root)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if ignored.match(entry.path):
                    continue
                try:
                    found[entry.path] = describe(entry.path)
                except FileNotFoundError:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return found


def names(directories):
    """Return what lies directly in directories whose content comes and goes."""
    return {os.path.join(directory, name): "there" for directory in directories for name in os.listdir(directory)}


def processes():
    """Return programs that run: not those of the kernel, of logins, and of this look itself."""
    parents, found = {}, {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid, encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        parents[pid] = text.rpartition(")")[2].split()[1], text.partition("(")[2].rpartition(")")[0]
    for pid, (parent, name) in parents.items():
        line, up = [name], parent
        while up in parents:
            line.append(parents[up][1])
            up = parents[up][0]
        # Commands that come from outside of the container have no parent in it, and those that come by ssh have two sshd above them.
        guest = line[-1] != parents["1"][1] or [each.startswith("sshd") for each in line].count(True) > 1
        if not guest and "kthreadd" not in line:
            found[name] = "runs"
    return found


def listeners():
    """Return open ports as {protocol address: program}."""
    found = {}
    for line in output("ss", "-H", "-lntup"):
        words = line.split()
        found["%s %s" % (words[0], words[4])] = ",".join(sorted(set(re.findall(r'\("([^"]+)"', line))))
    return found


def interfaces():
    """Return the addresses of each interface, except those that the kernel makes up."""
    found = {}
    for item in json.loads("".join(output("ip", "-j", "address")) or "[]"):
        addresses = ["%s/%s" % (each["local"], each["prefixlen"]) for each in item.get("addr_info", []) if each["scope"] != "link"]
        found[item["ifname"]] = " ".join(["up" if "UP" in item["flags"] else "down"] + sorted(addresses))
    return found


def units():
    """Return whether units are enabled, and which of them run, listen, wait or failed."""
    enabled = {words[0]: words[1] for words in map(str.split, output("systemctl", "list-unit-files", "--no-legend", "--plain"))
               if words[1] not in ("transient", "generated")}
    active = {words[0]: words[3] for words in map(str.split, output(
        "systemctl", "list-units", "--no-legend", "--plain", "--type=service,socket,timer,path", "--state=running,listening,waiting,failed"))}
    return enabled, active


def firewall():
    """Return how often each rule is there, with its table and chain; counters are not looked at."""
    found, around = {}, []
    for line in map(str.strip, output("nft", "--stateless", "list", "ruleset")):
        if line == "}":
            around.pop()
        elif line:
            name = " / ".join(around + [line.rstrip(" {")])
            found[name] = "there" if name not in found else found[name] + " and there"
            if line.endswith("{"):
                around.append(line.rstrip(" {"))
    return found


def routes():
    """Return the routes, except those to neighbours that the kernel makes up."""
    lines = output("ip", "route") + output("ip", "-6", "route")
    return {line.strip(): "there" for line in lines if not line.startswith("fe80:")}


def sysctls(wanted):
    """Return settings of the kernel by their path below /proc/sys, where the kernel has them."""
    return {path: read("/proc/sys/" + path) for path in wanted if os.path.exists("/proc/sys/" + path)}


def main(arguments):
    """Look at everything and print it."""
    left_out = arguments["left_out"]
    enabled, active = units()
    found = {
        "file": files(arguments["roots"], left_out["file"]),
        "name": names(arguments["names_in"]),
        "unit file": enabled,
        "active unit": active,
        "process": processes(),
        "port": listeners(),
        "package": dict(line.split(" ", 1) for line in output("dpkg-query", "-W", "-f", "${binary:Package} ${Version} ${Status}\\n")),
        "user": {line.split(":")[0]: line for line in output("getent", "passwd")},
        "group": {line.split(":")[0]: line for line in output("getent", "group")},
        "interface": interfaces(),
        "route": routes(),
        "firewall rule": firewall(),
        "sysctl": sysctls(arguments["sysctls"]),
        "mount": {words[1]: words[2] for words in map(str.split, open("/proc/mounts", encoding="utf-8"))},
    }
    if "container=" in read("/proc/1/environ"):
        # The kernel is the machine's, and others may change it meanwhile.
        found["sysctl"] = {name: value for name, value in found["sysctl"].items() if name.startswith("net/")}
    for category, patterns in left_out.items():
        found[category] = {name: text for name, text in found[category].items() if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
