# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the report's page on the controller, and print its tables so that they read as tables."""

from __future__ import annotations

import os
import re
import tempfile
import time

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.report import model, page, text

DIGEST = re.compile(r'<meta name="gpuops-digest" content="([0-9a-f]+)">')
OPTIONS = {
    "path": {"type": "path", "default": ""},
    "show": {"type": "bool", "default": True},
    "cluster": {"type": "dict", "required": True},
    "gpus": {"type": "dict", "required": True},
    "sharing": {"type": "dict", "default": {}},
    "validation": {"type": "dict", "default": {}},
    "marks": {"type": "list", "elements": "dict", "default": [], "options": {"step": {"type": "str"}, "at": {"type": "float", "required": True}}},
    "rehearsal": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(argument_spec=OPTIONS)
        now = time.time()
        sections = [given[key] for key in ("cluster", "gpus", "sharing", "validation", "marks", "rehearsal")]
        report = model.build(*sections, now)
        lines = text.lines(report)
        difference = ""
        path = os.path.abspath(os.path.expanduser(given["path"])) if given["path"] else ""
        if path:
            difference = self._write(path, report, now)
            lines += ["PAGE        file://" + path]
        if given["show"]:
            # stderr keeps the output of JSON callbacks parseable.
            Display().display("\n" + "\n".join(lines) + "\n", stderr=True)
        diff = {"diff": {"prepared": "%s: %s\n" % (path, difference)}} if difference and self._task.diff else {}
        return dict(diff, changed=bool(difference), path=path, lines=lines, report=report)

    def _write(self, path, report, now):
        """Write the page unless this is check mode; say what lasting things are new in it, if any.

        Times and who uses the GPUs are new on every run and count as no change.
        """
        digest = model.digest(report)
        found = ""
        try:
            with open(path, encoding="utf-8", errors="replace") as before:
                found = (DIGEST.search(before.read(65536)) or ["", ""])[1]
        except OSError:
            pass  # There is none yet, or it cannot be read: then writing it will say why.
        if not self._task.check_mode:
            generated = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now))
            self._replace(path, page.page(report, generated, digest))
        if found == digest:
            return ""
        return "shows other GPUs or another sharing than before" if found else "a new page"

    @staticmethod
    def _replace(path, content):
        draft = ""
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".gpu-report-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(content)
            os.chmod(draft, 0o644)
            os.replace(draft, path)
        except OSError as problem:
            if draft:
                os.unlink(draft)
            raise AnsibleActionFail("path: %r: the page cannot be written: %s. Fix: choose a directory that you may write to." % (path, problem)) from None
