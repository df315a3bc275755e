# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the archive for Galaxy from a copy of the checkout, so that nothing which git ignores gets into it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bootstrap  # noqa: E402  pylint: disable=wrong-import-position
import sanity  # noqa: E402  pylint: disable=wrong-import-position


def main() -> int:
    """Build the archive in .build/dist."""
    copy = sanity.copy_checkout(bootstrap.build_directory() / "dist" / "source")
    command = ["ansible-galaxy", "collection", "build", "--force", "--output-path", str(copy.parent), str(copy)]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
