# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import bootstrap, sanity

FIND = str(bootstrap.ROOT / "tools" / "find_python")
VERSION = "%d.%d" % sys.version_info[:2]


@pytest.mark.parametrize(("variables", "directory"), [
    ({"GPUOPS_CACHE_DIR": "/x/mine"}, "/x/mine"),
    ({"GPUOPS_CACHE_DIR": "", "XDG_CACHE_HOME": "/x/cache"}, "/x/cache/gpuops"),
    ({"GPUOPS_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": "/x/home"}, "/x/home/.cache/gpuops"),
])
def test_cache_directory(variables, directory, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert bootstrap.cache_directory() == Path(directory)


def test_commands_get_nothing_that_leads_to_another_cluster_or_configuration(monkeypatch):
    for name in ("KUBECONFIG", "K8S_AUTH_HOST", "ANSIBLE_INVENTORY", "HELM_KUBECONTEXT", "PYTHONPATH", "MOLECULE_FILE"):
        monkeypatch.setenv(name, "/elsewhere")
    variables = bootstrap.command_environment(Path("/env"), Path("/collections"))
    assert "/elsewhere" not in variables.values()
    assert variables["ANSIBLE_COLLECTIONS_PATH"] == variables["PYTHONPATH"] == "/collections"
    assert variables["PATH"].split(os.pathsep)[0] == "/env/bin"


def test_only_the_carried_collections_are_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "CARRIED", ("kubernetes/core",))
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("ansible_collections/kubernetes/core/MANIFEST.json", "ansible_collections/kubernetes/corelike/a", "ansible_collections/other/b"):
            archive.writestr(name, "x")
    bootstrap.extract(wheel, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["MANIFEST.json"]


def test_package_without_the_collection_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.whl", "w"):
        pass
    with pytest.raises(bootstrap.BootstrapError, match=r"x\.whl does not carry the collection kubernetes\.core"):
        bootstrap.extract(tmp_path / "x.whl", tmp_path / "out")


def test_link_is_made_moved_and_left_alone(tmp_path):
    path = tmp_path / "deep" / "link"
    for target in ("one", "one", "two"):
        bootstrap.link(path, tmp_path / target)
        assert os.readlink(path) == str(tmp_path / target)
    assert [entry.name for entry in path.parent.iterdir()] == ["link"]


def test_failing_command_is_shown_with_its_output():
    with pytest.raises(bootstrap.BootstrapError, match="ended with 3:\nwhat went wrong"):
        bootstrap.call([sys.executable, "-c", "print('what went wrong'); raise SystemExit(3)"])


def test_interpreter_that_does_not_run_is_passed_over(tmp_path):
    broken = tmp_path / f"python{VERSION}"
    broken.write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    broken.chmod(0o755)
    variables = dict(os.environ, PATH=f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin", PYENV_ROOT=sys.base_prefix + "/../no")
    found = subprocess.run([FIND, VERSION], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert str(tmp_path) not in found.stdout


def test_version_that_is_missing_is_named():
    found = subprocess.run([FIND, "3.1", "3.2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")
    assert "3.1 3.2" in found.stderr


def test_first_version_that_works_wins():
    found = subprocess.run([FIND, "3.1", VERSION], stdout=subprocess.PIPE, text=True, check=True)
    assert Path(found.stdout.strip()).is_absolute()


def test_step_without_its_interpreter_says_which(monkeypatch):
    monkeypatch.setattr(sanity.bootstrap, "find_python", lambda *versions: "/x" if "3.11" in versions else None)
    told = {step.name: step.missing() for step in sanity.STEPS}
    assert told["sanity"] == ""
    assert told["sanity-python3.8"] == "no working Python 3.8"
    assert told["sanity-newest-core"].startswith("no working Python 3.14 or 3.13 or 3.12")


def test_files_of_a_checkout_without_git_leave_out_leftovers(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for name in ("galaxy.yml", "plugins/x.py", "plugins/__pycache__/x.pyc", ".build/y", ".git/config", "a.tar.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    assert sanity.checkout_files(tmp_path) == ["galaxy.yml", "plugins/x.py"]


def test_pips_settings_reach_the_home_of_ansible_test(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    (tmp_path / "user" / ".config" / "pip").mkdir(parents=True)
    (tmp_path / "user" / ".config" / "pip" / "pip.conf").write_text("[global]\ntimeout = 9\n", encoding="utf-8")
    sanity.write_pip_configuration(tmp_path / "home")
    path = tmp_path / "home" / ".config" / "pip" / "pip.conf"
    assert path.read_text(encoding="utf-8").split() == ["[global]", "timeout", "=", "9", "find-links", "=", "/wheels"]
    assert path.stat().st_mode & 0o777 == 0o600
