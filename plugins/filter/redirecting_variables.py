# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.environment import redirecting


class FilterModule:
    def filters(self) -> dict:
        return {"redirecting_variables": redirecting}
