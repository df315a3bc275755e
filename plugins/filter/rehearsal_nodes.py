# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils import rehearsal

KEYS = (rehearsal.DECLARED, rehearsal.RECORDED, "node_labels", "node_taints")


def rehearsal_nodes(hosts: t.Sequence[str], hostvars: t.Mapping[str, t.Any], declared: t.Sequence[dict] = ()) -> t.List[dict]:
    """Return the simulated nodes for hosts of the inventory; see C(rehearsal_nodes.yml)."""
    known = {host: {key: hostvars[host][key] for key in KEYS if key in hostvars[host]} for host in hosts}
    try:
        return rehearsal.descriptions(known, declared)
    except rehearsal.Rejected as problem:
        raise AnsibleFilterError(str(problem)) from None


class FilterModule:
    def filters(self) -> dict:
        return {"rehearsal_nodes": rehearsal_nodes}
