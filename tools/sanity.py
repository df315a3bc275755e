# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test sanity on a copy of the checkout, with each ansible-core and Python that is there.

ansible-test wants the collection in a real directory .../ansible_collections/gpuops/kubernetes (no link), and fetches the
script that installs pip from a host that is blocked in some networks: here that script runs pip from the registry's wheel.
"""

from __future__ import annotations

import configparser
import dataclasses
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bootstrap  # noqa: E402  pylint: disable=wrong-import-position

QUICK = ("import", "compile")

GET_PIP = """\
# Installs pip from a wheel, for ansible-test; written by tools/sanity.py.
import sys

sys.path.insert(0, {wheel!r})

from pip._internal.cli.main import main

unknown_to_pip = ("--no-setuptools", "--no-wheel", "--no-python-version-warning")
sys.exit(main(["install", "--upgrade"] + [word for word in sys.argv[1:] if word not in unknown_to_pip]))
"""


@dataclasses.dataclass(frozen=True)
class Step:
    """One run of ansible-test: its name, the Pythons in question, and which tests (none: all)."""

    name: str
    requirements: str
    controllers: tuple[str, ...]
    target: str
    tests: tuple[str, ...] = ()

    def controller(self) -> t.Optional[str]:
        """Return the interpreter that ansible-core is installed on, or None."""
        return bootstrap.find_python(*self.controllers)

    def missing(self) -> str:
        """Say why this step cannot run here, or return an empty string."""
        if not self.controller():
            return f"no working Python {' or '.join(self.controllers)} for {self.requirements}"
        if self.target and not bootstrap.find_python(self.target):
            return f"no working Python {self.target}"
        return ""


# A target's oldest Python with ansible-core 2.19 is 3.8, with 2.20 and later 3.9. An empty target is the controller's own Python.
STEPS = (
    Step("sanity", "requirements-dev.txt", ("3.11", "3.12", "3.13"), ""),
    Step("sanity-python3.8", "requirements-dev.txt", ("3.11", "3.12", "3.13"), "3.8", QUICK),
    Step("sanity-newest-core", "requirements-newest.txt", ("3.14", "3.13", "3.12"), "", QUICK),
    Step("sanity-newest-core-python3.9", "requirements-newest.txt", ("3.14", "3.13", "3.12"), "3.9", QUICK),
)


def version_of(interpreter: str) -> str:
    """Return an interpreter's version as major.minor."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([interpreter, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def checkout_files(root: Path) -> t.List[str]:
    """Return the files that belong to the checkout: what git knows or does not ignore; outside git, all but leftovers."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
        return sorted({name for name in names if name and os.path.lexists(root / name)})
    leftovers = {".build", ".git", ".ansible", ".cache", "__pycache__", ".pytest_cache", ".hypothesis"}
    found = []
    for directory, directories, files in os.walk(root):
        directories[:] = [name for name in directories if name not in leftovers]
        found += [os.path.relpath(os.path.join(directory, name), root) for name in files if not name.endswith((".pyc", ".tar.gz"))]
    return sorted(found)


def copy_checkout(target: Path) -> Path:
    """Make target a plain copy of the checkout's files."""
    shutil.rmtree(target, ignore_errors=True)
    for name in checkout_files(bootstrap.ROOT):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(bootstrap.ROOT / name, target / name, follow_symlinks=False)
    if shutil.which("git"):
        # ansible-test asks the nearest repository for its files; without one here that is the checkout, which ignores the copy.
        bootstrap.call(["git", "init", "--quiet", target])
    return target


def write_pip_configuration(home: Path) -> None:
    """Hand pip's settings on: ansible-test drops the variables PIP_*, and has a home directory of its own here."""
    settings = configparser.RawConfigParser()
    user = Path("~").expanduser()
    settings.read([user / ".pip" / "pip.conf", user / ".config" / "pip" / "pip.conf", os.environ.get("PIP_CONFIG_FILE", "")])
    for name, value in os.environ.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE":
            if not settings.has_section("global"):
                settings.add_section("global")
            settings.set("global", name[len("PIP_"):].lower().replace("_", "-"), value)
    path = home / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as handle:
        settings.write(handle)


def write_get_pip(home: Path, environment: Path) -> None:
    """Put a script that installs pip where this version of ansible-test looks for the one that it fetched before."""
    code = ("from types import SimpleNamespace as N; from ansible_test._internal.python_requirements import get_venv_packages as p;"
            "print(p(N(version='3.11'))['pip'])")
    python = environment / "bin" / "python"
    version = subprocess.run([str(python), "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    wheels = bootstrap.cache_directory() / "wheels"
    found = sorted(wheels.glob(f"pip-{version}-*.whl"))
    if not found:
        bootstrap.call([python, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
                        "--dest", wheels, f"pip=={version}"])
        found = sorted(wheels.glob(f"pip-{version}-*.whl"))
    script = home / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(GET_PIP.format(wheel=str(found[0])), encoding="utf-8")


def run(step: Step) -> int:
    """Run one step and return ansible-test's exit status."""
    controller = step.controller()
    target = bootstrap.find_python(step.target) if step.target else controller
    environment = bootstrap.ensure_environment(step.requirements, controller)
    collections = bootstrap.ensure_collections(environment)
    base = bootstrap.build_directory() / "sanity" / "ansible_collections"
    copy = copy_checkout(base / bootstrap.NAMESPACE / bootstrap.NAME)
    for collection in bootstrap.CARRIED:
        bootstrap.link(base / collection, collections / "ansible_collections" / collection)
    home = bootstrap.cache_directory() / "ansible-test"
    write_pip_configuration(home)
    write_get_pip(home, environment)
    # ansible-test takes interpreters by name from PATH; a link there stands for the one that was seen to work.
    for interpreter in (controller, target):
        bootstrap.link(home / "bin" / f"python{version_of(interpreter)}", Path(interpreter))
    variables = bootstrap.command_environment(environment, base.parent)
    variables.update(HOME=str(home), PATH=f"{environment / 'bin'}{os.pathsep}{home / 'bin'}{os.pathsep}{os.environ['PATH']}")
    variables.pop("PYTHONPATH")
    command = [str(environment / "bin" / "ansible-test"), "sanity", "--local", "--requirements", "--color", "no", "--python", version_of(target)]
    command += [word for test in step.tests for word in ("--test", test)]
    with subprocess.Popen(command, cwd=copy, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        nothing = False
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            nothing = nothing or "All targets skipped" in line
    if nothing:
        print("sanity: ansible-test saw no file at all, which proves nothing", file=sys.stderr)
    return process.returncode or int(nothing)


def main(names: t.Sequence[str]) -> int:
    """Run the steps named (none: all) and say of each whether it ran."""
    unknown = set(names) - {step.name for step in STEPS}
    if unknown:
        print(f"sanity: no step {', '.join(sorted(unknown))}; there are {', '.join(step.name for step in STEPS)}", file=sys.stderr)
        return 2
    results = []
    for step in STEPS:
        if names and step.name not in names:
            continue
        reason = step.missing()
        if reason:
            results.append((step.name, f"NOT RUN: {reason}"))
            continue
        try:
            status = run(step)
        except bootstrap.BootstrapError as error:
            print(f"sanity: {error}", file=sys.stderr)
            status = 1
        results.append((step.name, f"failed ({status})" if status else "passed"))
    for name, result in results:
        print(f"{name}: {result}")
    return int(any(result.startswith("failed") for _name, result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
