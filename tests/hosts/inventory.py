#!/usr/bin/env python
# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory script: how the test hosts that run are reached. Their groups are said by the inventory beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.hosts import access, fleet  # noqa: E402  pylint: disable=wrong-import-position


def inventory() -> dict:
    """Return the inventory as Ansible takes it from a script."""
    reached = {"ansible_ssh_common_args": "-F %s" % access.configuration(), "ansible_ssh_args": "", "ansible_pipelining": True}
    hosts = {host["name"]: dict(reached, ansible_host=host["address"]) for host in fleet.states() if host["running"]}
    return {"_meta": {"hostvars": hosts}, "ungrouped": {"hosts": sorted(hosts)}}


if __name__ == "__main__":
    print(json.dumps(inventory()))
