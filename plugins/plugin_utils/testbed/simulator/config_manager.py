# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config-manager: which of the mounted files becomes the config, by the node's label; pure.

Source: k8s-device-plugin 0.20.0, cmd/config-manager/main.go, and runs of that program. Its first look at the label comes
before it has read the node, so it always sees no label at first: the init container, which looks once, takes the default
whatever the label says, and a restarted sidecar goes back to the default before it follows the label
(NVIDIA/k8s-device-plugin#1645).
"""

from __future__ import annotations

from typing import NamedTuple, Tuple

from .components import Exit

LABEL = "nvidia.com/device-plugin.config"
EMPTY = ""  # the link leads to /dev/null


class Manager(NamedTuple):
    """The environment of a config-manager container."""

    label: str
    default: str
    fallbacks: Tuple[str, ...]
    sends_signal: bool
    process: str
    source: str = "/available-configs"
    target: str = "/config/config.yaml"

    @classmethod
    def of(cls, environment):
        """Return the Manager that these environment variables make."""
        fallbacks = tuple(part.strip() for part in environment.get("FALLBACK_STRATEGIES", "").split(",") if part.strip())
        return cls(
            environment.get("NODE_LABEL", LABEL),
            environment.get("DEFAULT_CONFIG", ""),
            fallbacks,
            environment.get("SEND_SIGNAL", "true").lower() in ("true", "1", "t"),
            environment.get("PROCESS_TO_SIGNAL", "nvidia-device-plugin"),
            environment.get("CONFIG_FILE_SRCDIR", ""),
            environment.get("CONFIG_FILE_DST", ""),
        )


def choose(manager, label_value, files):
    """Return the name of the file to use, or EMPTY; Exit when there is none."""
    if not files:
        raise Exit("no configuration files available")
    if label_value:
        if label_value not in files:
            raise Exit("specified config %s does not exist" % label_value)
        return label_value
    if manager.default:
        if manager.default not in files:
            # The program prints the empty label here, not the default.
            raise Exit("specified config  does not exist")
        return manager.default
    for fallback in manager.fallbacks:
        if fallback == "named" and "default" in files:
            return "default"
        if fallback == "single" and len(files) == 1:
            return next(iter(files))
        if fallback == "empty":
            return EMPTY
        if fallback not in ("named", "single"):
            raise Exit("unknown fallback strategy: %s" % fallback)
    raise Exit("no config was set, no default was provided, and all fallbacks failed")


def follow(manager, values, link, files, running):
    """Go through label values as the sidecar does; return (link, signalled, error).

    `link` is the file in use (None: none yet); `running` tells whether the process to signal is there.
    """
    signalled = False
    for value in values:
        try:
            chosen = choose(manager, value, files)
        except Exit as error:
            return link, signalled, str(error)
        if chosen == link:
            continue
        if link and link not in files:
            # It takes the dangling link for no link at all, and then cannot make one in its place.
            return link, signalled, "error creating symlink: symlink %s/%s %s: file exists" % (manager.source, chosen, manager.target)
        link = chosen
        if manager.sends_signal:
            if not running:
                return link, signalled, "error finding pid: no process found"
            signalled = True
    return link, signalled, None
