# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""What the removal of a distribution does to a host. No I/O."""

from __future__ import annotations

import re
import typing as t

RULES = re.compile(r"KUBE-|CNI-|flannel", re.IGNORECASE)


def actions(remains: t.Any) -> t.List[str]:
    """Return a removal as short sentences, an empty list when there is nothing to remove.

    :param remains: what M(observe.kube_removal.read_remains) returns
    """
    found = ["stop and disable %s" % unit for unit in remains.units]
    if remains.processes:
        found.append("end %d processes of containers" % len(remains.processes))
    found += ["unmount %s" % path for path in remains.mounts]
    found += ["delete the network namespace %s" % name for name in remains.namespaces]
    found += ["delete the network interface %s" % name for name in remains.interfaces]
    found += ["take the rules of Kubernetes out of %s" % program for program in sorted(remains.tables)]
    return found + ["remove %s" % path for path in remains.paths]


def without_rules(text: str) -> str:
    """Return saved iptables rules without those of kube-proxy, CNI and flannel; chains and rules of others stay."""
    return "".join(line + "\n" for line in text.splitlines() if not RULES.search(line))
