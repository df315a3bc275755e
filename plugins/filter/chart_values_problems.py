# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import chart_values


def chart_values_problems(values: t.Any, reference: t.Any, chart: str = "", subcharts: t.Optional[dict] = None) -> t.List[dict]:
    """Return the problems of Helm values as plain maps with their text."""
    found = chart_values.problems(values, reference, chart, subcharts)
    return [dict(problem._asdict(), text=problem.text()) for problem in found]


class FilterModule:
    def filters(self) -> dict:
        return {"chart_values_problems": chart_values_problems}
