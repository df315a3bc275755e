# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the device plugin, GFD and the MPS control daemon do when they start; pure.

Source: k8s-device-plugin 0.20.0, cmd/*/main.go, internal/rm, internal/plugin, cmd/mps-control-daemon/mps. A start takes
the text of the config file (None without one), the container's flags and the node's hardware (None: no GPU driver), and
returns what runs then, or raises Exit with the last line that the program logs.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

from . import plugin_config
from .hardware import split_capability

GPU = plugin_config.PREFIX + "/gpu"
PLUGIN, GFD, MPS_DAEMON = "nvidia-device-plugin", "gpu-feature-discovery", "mps-control-daemon"

# flag -> (environment variables by program, default); an environment variable beats the file, a flag beats both.
_FLAGS = {
    "mig-strategy": ({GFD: ("GFD_MIG_STRATEGY", "MIG_STRATEGY"), None: ("MIG_STRATEGY",)}, "none"),
    "fail-on-init-error": ({GFD: ("GFD_FAIL_ON_INIT_ERROR", "FAIL_ON_INIT_ERROR"), None: ("FAIL_ON_INIT_ERROR",)}, True),
    "mps-root": ({PLUGIN: ("MPS_ROOT",)}, ""),
    "device-discovery-strategy": ({PLUGIN: ("DEVICE_DISCOVERY_STRATEGY",), GFD: ("DEVICE_DISCOVERY_STRATEGY",)}, "auto"),
    "device-list-strategy": ({PLUGIN: ("DEVICE_LIST_STRATEGY",)}, ("envvar",)),
    "device-id-strategy": ({PLUGIN: ("DEVICE_ID_STRATEGY",)}, "uuid"),
    "shared-devices-allocation-policy": ({PLUGIN: ("SHARED_DEVICES_ALLOCATION_POLICY",)}, "distributed"),
    "imex-channel-ids": ({PLUGIN: ("IMEX_CHANNEL_IDS",)}, ()),
    "no-timestamp": ({GFD: ("GFD_NO_TIMESTAMP",)}, False),
    "machine-type-file": ({GFD: ("GFD_MACHINE_TYPE_FILE",)}, "/sys/class/dmi/id/product_name"),
}
_LISTS = ("device-list-strategy", "imex-channel-ids")
_NO_NVML = "ERROR_LIBRARY_NOT_FOUND"


class Exit(Exception):
    """The program ends with exit code 1; the message is its last words."""


class Plugin(NamedTuple):
    """A device plugin that runs."""

    resources: dict  # name -> number of devices
    shared: frozenset  # names whose devices are replicas
    fails_above_one: bool
    needs_mps: bool  # registers only once an MPS daemon answers for each of its resources
    warnings: Tuple[str, ...]


class MpsDaemon(NamedTuple):
    """An MPS control daemon that runs, for these resources."""

    resources: frozenset


def settings(program, config, environment, arguments):
    """Return the value of each flag: command line over environment over file over default."""
    given = _command_line(arguments)
    result = {}
    for flag, (variables, default) in _FLAGS.items():
        names = variables.get(program, variables.get(None, ()))
        value = config.flags.get(flag, default)
        value = next((_typed(flag, environment[name], default) for name in names if name in environment), value)
        result[flag] = _typed(flag, given[flag], default) if flag in given else value
    return result


def _command_line(arguments):
    """Return the flags of a command line, written as --flag=value, --flag value or --flag."""
    given = {}
    for index, argument in enumerate(arguments):
        name, equals, value = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name in _FLAGS:
            following = arguments[index + 1] if index + 1 < len(arguments) else ""
            given[name] = value if equals else "true" if following.startswith("-") or not following else following
    return given


def _typed(flag, text, default):
    if flag in _LISTS:
        return [part.strip() for part in text.split(",")] if text else []
    return text.lower() in ("true", "1", "t") if isinstance(default, bool) else text


def start_plugin(text, hardware, environment=None, arguments=()):
    """Start nvidia-device-plugin."""
    try:
        config = plugin_config.parse(text or "")
    except plugin_config.ConfigError as error:
        raise Exit("error starting plugins: unable to load config: %s" % error) from error
    flags = settings(PLUGIN, config, environment or {}, arguments)
    refusal = _refused_flag(flags, config, hardware)
    if refusal:
        raise Exit("error starting plugins: unable to validate flags: " + refusal)
    if hardware is None and flags["fail-on-init-error"]:
        text = "error starting plugins: error getting plugins: unable to create plugins: failed to construct resource managers: "
        raise Exit(text + "nvml init failed: " + _NO_NVML)
    resources, shared = _devices(config, hardware)
    needs_mps = config.strategy == plugin_config.MPS and bool(resources)
    return Plugin(resources, shared, config.fails_above_one(), needs_mps, config.warnings)


def _refused_flag(flags, config, hardware):
    """Return why the plugin refuses its flags, in the order in which it looks at them."""
    lists = flags["device-list-strategy"]
    unknown = [each for each in lists if each not in ("envvar", "volume-mounts", "cdi-annotations", "cdi-cri")]
    mps = config.strategy == plugin_config.MPS
    channels = [int(each) for each in flags["imex-channel-ids"]]
    checks = (
        (unknown, "invalid --device-list-strategy option: invalid strategy: %s" % "".join(unknown[:1])),
        (
            hardware is None and any(each.startswith("cdi-") for each in lists),
            "CDI --device-list-strategy options are only supported on NVML-based systems",
        ),
        (flags["device-id-strategy"] not in ("uuid", "index"), "invalid --device-id-strategy option: %s" % flags["device-id-strategy"]),
        (
            flags["shared-devices-allocation-policy"] not in ("distributed", "packed"),
            "invalid --shared-devices-allocation-policy option: %s" % flags["shared-devices-allocation-policy"],
        ),
        (mps and flags["mig-strategy"] == "mixed", "using --mig-strategy=mixed is not supported with MPS"),
        (mps and not flags["mps-root"], "using MPS requires --mps-root to be specified"),
        (
            flags["device-discovery-strategy"] not in ("auto", "nvml", "tegra"),
            "invalid --device-discovery-strategy option %s" % flags["device-discovery-strategy"],
        ),
        (flags["mig-strategy"] not in ("none", "single", "mixed"), "unknown MIG strategy: %s" % flags["mig-strategy"]),
        (
            channels not in ([], [0]),
            "invalid IMEX channel IDs: invalid IMEX config: channelIDs must be [] or [0]; found [%s]" % " ".join(map(str, channels)),
        ),
    )
    return next((message for refused, message in checks if refused), None)


def _devices(config, hardware):
    """Return the number of devices by resource, and which resources are replicas; MIG is off on simulated GPUs."""
    if hardware is None or not hardware.gpus:
        return {}, frozenset()
    entries = [each for each in config.replicated.entries if each.name == GPU] if config.replicated else []
    if not entries:
        return {GPU: hardware.gpus}, frozenset()
    # The replicas of two entries for one resource have the same ids: the larger number remains.
    name = GPU + plugin_config.SHARED_SUFFIX if config.replicated.rename else GPU
    return {name: hardware.gpus * max(each.replicas for each in entries)}, frozenset([name])


def start_mps(text, hardware, environment=None, arguments=()):
    """Start mps-control-daemon: idle without MPS in the config, ended by more replicas than the GPU takes clients."""
    try:
        config = plugin_config.parse(text or "")
    except plugin_config.ConfigError as error:
        raise Exit("error starting plugins: unable to load config: %s" % error) from error
    del environment, arguments  # only the MIG strategy, which changes nothing while MIG is off
    if config.strategy != plugin_config.MPS:
        return MpsDaemon(frozenset())
    if hardware is None:
        raise Exit("error starting plugins: error getting daemons: failed to create MPS manager: failed to initialize NVML: " + _NO_NVML)
    resources, shared = _devices(config, hardware)
    replicas = max([resources[name] // hardware.gpus for name in shared] or [0])
    most = mps_clients(hardware.compute)
    if replicas > most:
        reason = "invalid MPS configuration: invalid device maximum allowed replicas exceeded: %d > %d" % (replicas, most)
        raise Exit("error starting plugins: error getting daemons: " + reason)
    return MpsDaemon(shared)


def mps_clients(compute):
    """Return how many clients an MPS server takes; the daemon counts Volta (7.0) among the older GPUs."""
    return 48 if split_capability(compute) >= (7, 5) else 16


def refused_request(plugin: Optional[Plugin], requests):
    """Return kubelet's words when the plugin refuses one container's request, else None; requests: name -> count."""
    for name, count in sorted(requests.items()):
        if plugin and plugin.fails_above_one and name in plugin.shared and count > 1:
            cause = 'rpc error: code = Unknown desc = invalid allocation request for "%s": invalid request: ' % name
            cause += "maximum request size for shared resources is 1; found %d" % count
            return "Pod was rejected: Allocate failed due to %s, which is unexpected" % cause
    return None
