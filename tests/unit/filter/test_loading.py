# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the filters load: a task that uses one of them loads all, in a new process for each host."""

from __future__ import annotations

import pathlib
import subprocess
import sys

FILTERS = sorted(path.stem for path in (pathlib.Path(__file__).resolve().parents[3] / "plugins" / "filter").glob("*.py"))
LOAD = """
import importlib, sys
sys.path[:0] = %r
for name in %r:
    importlib.import_module("ansible_collections.gpuops.kubernetes.plugins.filter." + name)
print("kubernetes" in sys.modules)
"""


def test_filters_do_not_load_the_kubernetes_client():
    assert len(FILTERS) > 5
    assert subprocess.run([sys.executable, "-c", LOAD % (sys.path, FILTERS)], stdout=subprocess.PIPE, text=True, check=True).stdout == "False\n"
