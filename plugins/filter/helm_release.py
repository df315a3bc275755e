# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.helm_release import missing_objects, repair, version_problem


def helm_release_repair(history: str, now: float, missing: t.Sequence[str] = (), grace: float = 0.0) -> dict:
    """Return the repair that a release needs, from the text that helm history printed."""
    return repair(json.loads(history) if history.strip() else [], missing, float(now), float(grace))._asdict()


class FilterModule:
    def filters(self) -> dict:
        return {"helm_release_repair": helm_release_repair, "helm_version_problem": version_problem, "missing_objects": missing_objects}
