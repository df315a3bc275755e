# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import sharing_config


def sharing_problems(configs, default=None, node_configs=None, prefix=""):
    """Return what is wrong with sharing options, as texts; see C(sharing_problems.yml)."""
    # Ansible's strings carry tags, which the YAML writer behind size_problems does not take: here they become plain ones.
    configs, default, node_configs = json.loads(json.dumps([configs, default, node_configs]))
    found = sharing_config.problems(configs, default, node_configs or [], prefix)
    if not found:
        texts = {key: sharing_config.text(document) for key, document in sharing_config.documents(configs, default).items()}
        found = sharing_config.size_problems(texts, prefix)
    return [problem.text() for problem in found if problem.severity == "refuse"]


class FilterModule:
    def filters(self):
        return {"sharing_problems": sharing_problems}
