# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import cluster_tools


def plan(wanted: t.Sequence[dict], files: t.Sequence[dict], answers: t.Sequence[dict], host: dict, replace: bool = False) -> dict:
    """Return which programs have to be installed, which of those that are there are ours, and what speaks against it."""
    tools = []
    for one, file, answer in zip(wanted, files, answers):
        found = file["stat"]
        there = {"exists": found["exists"], "is_directory": found.get("isdir", False), "target": found.get("lnk_target", "")}
        tools.append(cluster_tools.Tool(one["name"], str(one["version"]), one["url"], one["checksum"], shown=answer.get("stdout", ""), **there))
    return {
        "install": cluster_tools.to_install(tools),
        "ours": [tool.name for tool in tools if tool.ours],
        "problems": [problem.text() for problem in cluster_tools.problems(cluster_tools.Host(**host), tools, replace)],
    }


class FilterModule:
    def filters(self) -> dict:
        return {"cluster_tools_plan": plan, "published_checksum": cluster_tools.published_checksum}
