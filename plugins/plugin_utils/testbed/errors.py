# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong with a testbed, as a user should read it."""

from __future__ import annotations


class TestbedError(Exception):
    """The testbed could not do what was asked; the message says what to do next."""

    __test__ = False  # pytest takes classes called Test* for test cases


class BadInput(TestbedError):
    """What the user gave is wrong; nothing was started or changed."""

    def __init__(self, problems):
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


def problem(path, value, rule, fix):
    """Return one refusal as a line that names the variable, its value, the rule and the fix."""
    return "%s: %r: %s; fix: %s" % (path, _plain(value), rule, fix)


def _plain(value):
    """Return the value without the str, int and float subclasses of a templating engine, whose repr is noise."""
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
