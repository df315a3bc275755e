# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a testbed keeps its things: state of instances, cache of programs."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .errors import BadInput, problem

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$")


def state_root():
    """Return the directory that holds one directory per instance."""
    return _root("GPUOPS_STATE_DIR", "XDG_STATE_HOME", ".local/state") / "testbed"


def cache_root():
    """Return the directory that programs, the Go toolchain and build files are kept in."""
    return _root("GPUOPS_CACHE_DIR", "XDG_CACHE_HOME", ".cache")


def _root(own, xdg, fallback):
    if os.environ.get(own):
        return Path(os.environ[own]).absolute()
    base = os.environ.get(xdg) or os.path.join(os.path.expanduser("~"), fallback)
    return Path(base).absolute() / "gpuops"


def instance_directory(name, state_dir=None):
    """Return the directory of an instance; BadInput when the name cannot be one."""
    if not isinstance(name, str) or not _NAME.match(name):
        rule = "must be 1 to 40 lower case letters, digits and dashes, with a letter or digit at both ends"
        raise BadInput([problem("name", name, rule, "choose a name such as demo")])
    return (Path(state_dir).absolute() if state_dir else state_root()) / name


def make_private(directory):
    """Create a directory that only its owner may enter."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    return directory


def write_private(path, text):
    """Write a file that only its owner may read; readers see the old or the new content, never half of it."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(str(temporary), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
    return path
