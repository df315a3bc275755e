# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config-manager by table: what the real program (0.20.0) did with the same files and labels."""

from __future__ import annotations

import pytest

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator import config_manager
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator.components import Exit

FILES = {"default": "", "ts4": "", "mps": ""}


def manager(default="", fallbacks=("named", "single"), **more):
    """Return a manager as the chart's sidecar has it."""
    environment = {"DEFAULT_CONFIG": default, "FALLBACK_STRATEGIES": ",".join(fallbacks)}
    environment.update(CONFIG_FILE_SRCDIR="/available-configs", CONFIG_FILE_DST="/config/config.yaml", **more)
    return config_manager.Manager.of(environment)


@pytest.mark.parametrize(
    "label, default, fallbacks, files, chosen",
    [
        ("ts4", "mps", (), FILES, "ts4"),
        ("", "mps", ("named",), FILES, "mps"),
        ("", "", ("named", "single"), FILES, "default"),
        ("", "", ("single", "named"), {"only": ""}, "only"),
        ("", "", ("named", "single", "empty"), {"a": "", "b": ""}, config_manager.EMPTY),
    ],
)
def test_choice(label, default, fallbacks, files, chosen):
    assert config_manager.choose(manager(default, fallbacks), label, files) == chosen


@pytest.mark.parametrize(
    "label, default, fallbacks, files, words",
    [
        ("gone", "mps", ("empty",), FILES, "specified config gone does not exist"),
        ("", "gone", ("named",), FILES, "specified config  does not exist"),
        ("", "", ("named", "single"), {"a": "", "b": ""}, "no config was set, no default was provided, and all fallbacks failed"),
        ("", "", ("name",), FILES, "unknown fallback strategy: name"),
        ("ts4", "", (), {}, "no configuration files available"),
    ],
)
def test_no_choice(label, default, fallbacks, files, words):
    with pytest.raises(Exit) as caught:
        config_manager.choose(manager(default, fallbacks), label, files)
    assert str(caught.value) == words


NOBODY = "error finding pid: no process found"


@pytest.mark.parametrize(
    "values, link, running, result",
    [
        # the init container: one look, which shows no label
        ([""], None, True, ("default", True, None)),
        # a sidecar that starts: the default is linked already, then the label counts
        (["", "ts4"], "default", True, ("ts4", True, None)),
        (["", ""], "default", True, ("default", False, None)),
        # nobody to signal: the link is changed all the same
        (["", "ts4"], "default", False, ("ts4", False, NOBODY)),
        # the next start goes back to the default first, and ends there
        (["", "ts4"], "ts4", False, ("default", False, NOBODY)),
        # a label without a file: the default stays in use
        (["", "gone"], "default", True, ("default", False, "specified config gone does not exist")),
        (["", "gone"], "ts4", True, ("default", True, "specified config gone does not exist")),
        # the linked file is gone from the volume
        (["mps"], "old", True, ("old", False, "error creating symlink: symlink /available-configs/mps /config/config.yaml: file exists")),
    ],
)
def test_following_the_label(values, link, running, result):
    assert config_manager.follow(manager(), values, link, FILES, running) == result


def test_the_init_container_sends_no_signal():
    quiet = manager(SEND_SIGNAL="false")
    assert config_manager.follow(quiet, [""], None, FILES, running=False) == ("default", False, None)
