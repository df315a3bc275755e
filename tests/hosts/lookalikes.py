# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that make a Debian host say that it is another distribution: for the branches of roles, not for what packages do."""

from __future__ import annotations

import typing as t

from tests.hosts.machine import HostError

# It names no distribution: Ansible looks for their names anywhere in the file.
NOTE = "# A look-alike for tests of gpuops.kubernetes: this file alone says so, the host is another system.\n"

# What the distributions' own os-release files hold, as far as Ansible and installers read it.
_UBUNTU = 'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="%(version)s"\nVERSION="%(version)s LTS (%(long)s)"\n' \
          'PRETTY_NAME="Ubuntu %(version)s LTS"\nVERSION_CODENAME=%(code)s\nUBUNTU_CODENAME=%(code)s\n'
_DEBIAN = 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="%(version)s"\nVERSION="%(version)s (%(code)s)"\n' \
          'PRETTY_NAME="Debian GNU/Linux %(version)s (%(code)s)"\nVERSION_CODENAME=%(code)s\n'
_ROCKY = 'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="%(version)s"\nVERSION="%(version)s (%(long)s)"\n' \
         'PRETTY_NAME="Rocky Linux %(version)s (%(long)s)"\nPLATFORM_ID="platform:el%(major)s"\n'
_RHEL = 'NAME="Red Hat Enterprise Linux"\nID="rhel"\nID_LIKE="%(like)s"\nVERSION_ID="%(version)s"\nVERSION="%(version)s (%(long)s)"\n' \
        'PRETTY_NAME="Red Hat Enterprise Linux %(version)s (%(long)s)"\nPLATFORM_ID="platform:el%(major)s"\n'
_SLES = 'NAME="SLES"\nID="sles"\nID_LIKE="suse"\nVERSION_ID="%(version)s"\nVERSION="%(long)s"\n' \
        'PRETTY_NAME="SUSE Linux Enterprise Server %(pretty)s"\n'


def _ubuntu(version: str, code: str, long: str) -> t.Dict[str, str]:
    lsb = 'DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=%s\nDISTRIB_CODENAME=%s\nDISTRIB_DESCRIPTION="Ubuntu %s LTS"\n' % (version, code, version)
    return {"/usr/lib/os-release": _UBUNTU % {"version": version, "code": code, "long": long}, "/etc/lsb-release": lsb}


def _debian(version: str, code: str) -> t.Dict[str, str]:
    return {"/usr/lib/os-release": _DEBIAN % {"version": version, "code": code}, "/etc/debian_version": version + ".0\n"}


def _rocky(version: str, long: str) -> t.Dict[str, str]:
    text = _ROCKY % {"version": version, "long": long, "major": version.split(".", maxsplit=1)[0]}
    return {"/usr/lib/os-release": text, "/etc/redhat-release": "Rocky Linux release %s (%s)\n" % (version, long)}


def _rhel(version: str, long: str, like: str) -> t.Dict[str, str]:
    text = _RHEL % {"version": version, "long": long, "like": like, "major": version.split(".", maxsplit=1)[0]}
    return {"/usr/lib/os-release": text, "/etc/redhat-release": "Red Hat Enterprise Linux release %s (%s)\n" % (version, long)}


def _sles(version: str, long: str, pretty: str) -> t.Dict[str, str]:
    return {"/usr/lib/os-release": _SLES % {"version": version, "long": long, "pretty": pretty}}


LOOKALIKES = {
    "debian-11": _debian("11", "bullseye"),
    "ubuntu-20.04": _ubuntu("20.04", "focal", "Focal Fossa"),
    "ubuntu-22.04": _ubuntu("22.04", "jammy", "Jammy Jellyfish"),
    "ubuntu-24.04": _ubuntu("24.04", "noble", "Noble Numbat"),
    "ubuntu-26.04": _ubuntu("26.04", "resolute", "Resolute Raccoon"),
    "rocky-9": _rocky("9.6", "Blue Onyx"),
    "rocky-10": _rocky("10.0", "Red Quartz"),
    "rhel-9": _rhel("9.6", "Plow", "fedora"),
    "rhel-10": _rhel("10.0", "Coughlan", "centos fedora"),
    "sles-15": _sles("15.6", "15-SP6", "15 SP6"),
    "sles-16": _sles("16.0", "16.0", "16.0"),
}


def files(like: str) -> t.List[t.Tuple[str, str]]:
    """Return paths and texts of the files of a look-alike; none for an empty name. Raises HostError where the name is unknown."""
    if like and like not in LOOKALIKES:
        raise HostError("no look-alike %s; there are %s" % (like, ", ".join(LOOKALIKES)))
    return [(path, NOTE + text if path.endswith("os-release") else text) for path, text in LOOKALIKES.get(like, {}).items()]
