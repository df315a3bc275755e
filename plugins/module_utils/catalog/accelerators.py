# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Values of the node label accelerator by GPU model, as managed clusters have them. Data only."""

from __future__ import annotations

import typing as t

# Words that a model's name has to hold, with the value; the first match counts.
# Source: the documentation of GKE (cloud.google.com/gke-accelerator), whose values EKS users give their node groups too.
LABELS: t.Tuple[t.Tuple[t.FrozenSet[str], str], ...] = tuple(
    (frozenset(words.split()), label)
    for words, label in (
        ("k80", "nvidia-tesla-k80"),
        ("p4", "nvidia-tesla-p4"),
        ("p100", "nvidia-tesla-p100"),
        ("v100", "nvidia-tesla-v100"),
        ("t4", "nvidia-tesla-t4"),
        ("a100 80gb", "nvidia-a100-80gb"),
        ("a100", "nvidia-tesla-a100"),
        ("l4", "nvidia-l4"),
        ("h100 80gb", "nvidia-h100-80gb"),
        ("h100 pcie", "nvidia-h100-80gb"),
        ("h200", "nvidia-h200-141gb"),
        ("gb200", "nvidia-gb200"),
        ("b200", "nvidia-b200"),
        ("rtx pro 6000", "nvidia-rtx-pro-6000"),
    )
)
