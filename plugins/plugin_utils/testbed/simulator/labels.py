# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node labels of GPU feature discovery and node feature discovery; pure.

Sources: k8s-device-plugin 0.20.0, internal/lm and cmd/gpu-feature-discovery; node-feature-discovery 0.19.0.
"""

from __future__ import annotations

import functools
import re

from . import go_yaml, plugin_config
from .components import GFD, GPU, Exit, settings
from .hardware import split_capability

NFD_PREFIX = "feature.node.kubernetes.io/"
# The labels that nfd-master manages on a node; those of its own prefix are listed without it.
NFD_MANAGED = "nfd.node.kubernetes.io/feature-labels"
_VENDOR = "10de"
_CLASSES = {"compute": "0302", "graphics": "0300"}
# What a simulated node says of itself.
_OS = ("ubuntu", "24.04")
_KERNEL = "6.8.0-117-generic"
_CPU_VENDOR = "Intel"


def start_gfd(text, hardware, now, environment=None, arguments=()):
    """Start gpu-feature-discovery: return its labels; Exit when it ends with an error."""
    try:
        config = plugin_config.parse(text or "")
    except plugin_config.ConfigError as error:
        raise Exit("unable to load config: %s" % error) from error
    flags = settings(GFD, config, environment or {}, arguments)
    if flags["device-discovery-strategy"] not in ("auto", "nvml", "tegra", "vfio"):
        text = "unable to load config: unable to validate flags: invalid --device-discovery-strategy option %s"
        raise Exit(text % flags["device-discovery-strategy"])
    if hardware is None and flags["fail-on-init-error"]:
        raise Exit("failed to create resource manager: unsupported strategy %s" % flags["device-discovery-strategy"])
    labels = {"nvidia.com/vgpu.present": "false"}
    # Once per start: the labels are refreshed every sleep interval, their timestamp is not.
    if not flags["no-timestamp"]:
        labels["nvidia.com/gfd.timestamp"] = str(int(now))
    if hardware is not None and hardware.gpus:
        labels.update(_gpu_labels(config, flags, hardware))
    return labels


def _gpu_labels(config, flags, hardware):
    if flags["mig-strategy"] not in ("none", "single", "mixed"):
        text = "error creating labeler: error creating resource labeler: failed to construct MIG resource labeler: unknown strategy: %s"
        raise Exit(text % flags["mig-strategy"])
    shared = config.replicated
    # The first entry counts here; the plugin serves the larger number.
    entry = next((each for each in shared.entries if each.name == GPU), None) if shared else None
    suffix = ["SHARED"] if entry and not shared.rename else []
    major, minor = split_capability(hardware.compute)
    labels = {
        "nvidia.com/gpu.machine": sanitised(hardware.machine) if flags["machine-type-file"] else "unknown",
        "nvidia.com/gpu.product": "-".join([sanitised(hardware.product)] + suffix),
        "nvidia.com/gpu.count": str(hardware.gpus),
        "nvidia.com/gpu.replicas": str(entry.replicas if entry else 1),
        "nvidia.com/gpu.sharing-strategy": config.strategy if entry else plugin_config.NONE,
        "nvidia.com/gpu.memory": str(hardware.memory),
        "nvidia.com/gpu.family": hardware.family,
        "nvidia.com/gpu.compute.major": str(major),
        "nvidia.com/gpu.compute.minor": str(minor),
        "nvidia.com/gpu.mode": hardware.mode,
        "nvidia.com/mig.capable": str(hardware.mig_capable).lower(),
        "nvidia.com/mps.capable": str(config.strategy == plugin_config.MPS).lower(),
    }
    if flags["mig-strategy"] != "none":
        labels["nvidia.com/mig.strategy"] = flags["mig-strategy"]
    labels.update(_version_labels(hardware))
    return labels


def _version_labels(hardware):
    driver = str(hardware.driver).split(".") + ["", ""]
    cuda = str(hardware.cuda).split(".") + ["0"]
    values = {
        "driver-version.major": driver[0], "driver-version.minor": driver[1], "driver-version.revision": driver[2],
        "driver-version.full": str(hardware.driver), "runtime-version.major": cuda[0], "runtime-version.minor": cuda[1],
        "runtime-version.full": "%s.%s" % (cuda[0], cuda[1]),
        # the deprecated twins
        "driver.major": driver[0], "driver.minor": driver[1], "driver.rev": driver[2],
        "runtime.major": cuda[0], "runtime.minor": cuda[1],
    }  # fmt: skip
    return {"nvidia.com/cuda." + key: value for key, value in values.items()}


def sanitised(text):
    """Return a name as GFD puts it into a label value."""
    return "-".join(re.sub(r"[^A-Za-z0-9-_. ]", "", text).split())


def nfd_labels(worker_config, hardware):
    """Return the labels of nfd-worker by its configuration file (text)."""
    kernel = re.match(r"([0-9]+)\.([0-9]+)\.([0-9]+)", _KERNEL)
    major, dot, minor = _OS[1].partition(".")
    values = {
        "cpu-model.vendor_id": _CPU_VENDOR,
        "kernel-version.full": _KERNEL,
        "kernel-version.major": kernel.group(1),
        "kernel-version.minor": kernel.group(2),
        "kernel-version.revision": kernel.group(3),
        "system-os_release.ID": _OS[0],
        "system-os_release.VERSION_ID": _OS[1],
        "system-os_release.VERSION_ID.major": major,
        "system-os_release.VERSION_ID.minor": minor,
    }
    device = _pci_label(worker_config, hardware)
    if device:
        values[device] = "true"
    return {NFD_PREFIX + key: value for key, value in values.items()}


def _pci_label(worker_config, hardware):
    """Return the name of the label for the GPUs, or None when their class is not looked at."""
    if hardware is None or not hardware.gpus:
        return None
    pci = _pci_source(worker_config or "")
    device = {"class": _CLASSES.get(hardware.mode, "0302"), "vendor": _VENDOR}
    classes = pci.get("deviceClassWhitelist") or ["03", "0b40", "12"]
    if not any(device["class"].startswith(str(each)) for each in classes):
        return None
    fields = [each for each in pci.get("deviceLabelFields") or ["class", "vendor"] if each in device]
    return "pci-%s.present" % "_".join(device[each] for each in fields or ["class", "vendor"])


@functools.lru_cache(maxsize=16)
def _pci_source(worker_config):
    """Return the section sources.pci of nfd-worker's configuration."""
    try:
        return go_yaml.load(worker_config)["sources"]["pci"] or {}
    except (go_yaml.YamlError, TypeError, KeyError):
        return {}


def managed(annotation):
    """Return the names of the labels that nfd-master lists as its own."""
    names = [name for name in (annotation or "").split(",") if name]
    return {name if "/" in name else NFD_PREFIX + name for name in names}


def managed_annotation(labels):
    """Return nfd-master's list of the labels that it manages."""
    return ",".join(sorted(name[len(NFD_PREFIX) :] if name.startswith(NFD_PREFIX) else name for name in labels))
