# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the simulator is told by the testbed's record of its instance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple, Tuple

_REAL_DELAY = (60.0, 90.0)
_FASTEST = 0.01


class Settings(NamedTuple):
    """Where the cluster is, whose it is, and how fast its clocks run."""

    directory: Path
    server: str
    token: str
    ca_file: Path
    instance: str
    configmap_delay: Tuple[float, float]

    @property
    def pace(self):
        """Return how long a kubelet second takes: a shortened ConfigMap delay shortens all of kubelet's times alike."""
        return max(_FASTEST, min(1.0, sum(self.configmap_delay) / sum(_REAL_DELAY)))


def load(directory):
    """Read DIR/state.json and what lies beside it; OSError, ValueError or KeyError when that is no running instance."""
    directory = Path(directory)
    state = json.loads((directory / "state.json").read_text(encoding="utf-8"))
    low, high = state.get("options", {}).get("configmap_delay") or _REAL_DELAY
    return Settings(
        directory=directory,
        server="https://127.0.0.1:%d" % state["ports"]["kube-apiserver"],
        token=(directory / "pki" / "token").read_text(encoding="utf-8").strip(),
        ca_file=directory / "pki" / "ca.crt",
        instance=state["instance"],
        configmap_delay=(float(low), float(high)),
    )
