# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of the playbooks of this checkout."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
CHART = ROOT / "roles" / "rehearsal" / "files" / "charts" / "nvidia-device-plugin"


class Player:
    """Runs playbooks: those of this checkout by their file name, others by their path."""

    def __init__(self, directory, extra):
        self._directory = directory
        self._extra = [word for name, value in extra.items() for word in ("-e", "%s=%s" % (name, value))]

    def __call__(self, name, inventory, *more, environment=None):
        """Return the exit status, what was printed, and how many tasks changed something."""
        command = ["ansible-playbook", "-i", str(inventory), str(ROOT / "playbooks" / name), *self._extra, *more]
        variables = dict(os.environ, **environment or {})
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=self._directory, env=variables)
        changed = sum(int(number) for number in re.findall(r"changed=(\d+)", done.stdout))
        return done.returncode, done.stdout, changed
