# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GPU models that a simulated node can have, and the description that its annotation carries; pure."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

DEFAULT_DRIVER = "580.95.05"
_COMPUTE, _GRAPHICS = "compute", "graphics"


class Model(NamedTuple):
    """A GPU as NVML describes it: memory in MiB, compute capability, what its PCI class makes it."""

    product: str
    memory: int
    compute: str
    mig_capable: bool = False
    mode: str = _COMPUTE
    driver: str = DEFAULT_DRIVER


# Sources. [X]: `nvidia-smi -q -x` captures of that card in NVIDIA/k8s-test-infra (tests/e2e/go/assertions/nvidiasmi).
# [S]: product and total memory as nvidia-smi prints them with driver branches 525 to 595, in public logs.
# [D]: product by NVIDIA's naming, memory by the card's specification. Compute capability: NVIDIA's CUDA GPU list.
# MIG: NVIDIA's MIG guide (supported GPUs). Mode: PCI class 0x0302 (3D controller) is compute, 0x0300 (VGA) graphics.
MODELS = {
    "K80": Model("Tesla K80", 11441, "3.7", driver="470.256.02"),  # [S]
    "P100-PCIE-16GB": Model("Tesla P100-PCIE-16GB", 16384, "6.0"),  # [D]
    "GeForce-MX150": Model("NVIDIA GeForce MX150", 2048, "6.1"),  # [D]
    "V100-PCIE-16GB": Model("Tesla V100-PCIE-16GB", 16384, "7.0"),  # [D]
    "V100-PCIE-32GB": Model("Tesla V100-PCIE-32GB", 32768, "7.0"),  # [D]
    "V100-SXM2-16GB": Model("Tesla V100-SXM2-16GB", 16384, "7.0"),  # [D]
    "V100-SXM2-32GB": Model("Tesla V100-SXM2-32GB", 32768, "7.0"),  # [S]
    "T4": Model("Tesla T4", 15360, "7.5"),  # [X]
    "RTX-2080-Ti": Model("NVIDIA GeForce RTX 2080 Ti", 11264, "7.5", mode=_GRAPHICS),  # [D]
    "A10": Model("NVIDIA A10", 23028, "8.6"),  # [S]
    "A10G": Model("NVIDIA A10G", 23028, "8.6"),  # [S]
    "A30": Model("NVIDIA A30", 24576, "8.0", True),  # [S]
    "A40": Model("NVIDIA A40", 46068, "8.6"),  # [S]
    "A100-PCIE-40GB": Model("NVIDIA A100-PCIE-40GB", 40960, "8.0", True),  # [S]
    "A100-SXM4-40GB": Model("NVIDIA A100-SXM4-40GB", 40960, "8.0", True),  # [X]
    "A100-PCIE-80GB": Model("NVIDIA A100 80GB PCIe", 81920, "8.0", True),  # [S]
    "A100-SXM4-80GB": Model("NVIDIA A100-SXM4-80GB", 81920, "8.0", True),  # [S]
    "L4": Model("NVIDIA L4", 23034, "8.9"),  # [S]
    "L40": Model("NVIDIA L40", 46068, "8.9"),  # [S]
    "L40S": Model("NVIDIA L40S", 46068, "8.9"),  # [X]
    "RTX-4090": Model("NVIDIA GeForce RTX 4090", 24564, "8.9", mode=_GRAPHICS),  # [S]
    "H100-PCIE": Model("NVIDIA H100 PCIe", 81559, "9.0", True),  # [S]
    "H100-SXM": Model("NVIDIA H100 80GB HBM3", 81559, "9.0", True),  # [X], and the node labels in NVIDIA/cloud-native-docs
    "H100-NVL": Model("NVIDIA H100 NVL", 95830, "9.0", True),  # [S]
    "H200": Model("NVIDIA H200", 143771, "9.0", True),  # [S]
    "H200-NVL": Model("NVIDIA H200 NVL", 143771, "9.0", True),  # [S]
    "GH200": Model("NVIDIA GH200 480GB", 97871, "9.0", True),  # [S]
    "B200": Model("NVIDIA B200", 183359, "10.0", True),  # [X]
    "B300": Model("NVIDIA B300 SXM6 AC", 275040, "10.3", True),  # [S]
    "GB200": Model("NVIDIA GB200", 189471, "10.0", True),  # [X]
    "GB300": Model("NVIDIA GB300", 284208, "10.3", True),  # [X]
    "RTX-PRO-6000-Blackwell": Model("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97887, "12.0", True),  # [S]
}

# The CUDA version that a driver branch reports: the captures [X] (570, 580, 595), mock configurations of the same
# repository (550, 560), and NVIDIA's CUDA release notes.
_CUDA = {
    450: "11.0", 455: "11.1", 460: "11.2", 465: "11.3", 470: "11.4", 495: "11.5", 510: "11.6", 515: "11.7", 520: "11.8",
    525: "12.0", 530: "12.1", 535: "12.2", 545: "12.3", 550: "12.4", 555: "12.5", 560: "12.6", 565: "12.7", 570: "12.8",
    575: "12.9", 580: "13.0", 590: "13.1", 595: "13.2",
}  # fmt: skip

_OWN_KEYS = ("product", "memory", "compute", "family", "mig_capable")


class Hardware(NamedTuple):
    """The GPUs of one node, as its annotation describes them."""

    product: str
    gpus: int
    memory: int
    compute: str
    family: str
    mig_capable: bool
    driver: str
    cuda: str
    mode: str = _COMPUTE
    machine: str = "simulated"


def describe(model, gpus, driver_version=None):
    """Return what the annotation of a node with these GPUs says; ValueError when the model is not known."""
    card = _own(model) if isinstance(model, dict) else _known(model)
    driver = driver_version or card.driver
    family = model.get("family") if isinstance(model, dict) else None
    return {
        "product": card.product.replace(" ", "-"),
        "gpus": int(gpus),
        "memory": card.memory,
        "compute": card.compute,
        "family": family or family_of(card.compute),
        "mig_capable": card.mig_capable,
        "mode": card.mode,
        "driver": str(driver),
        "cuda": cuda_of(driver),
    }


def parse(annotation):
    """Return the Hardware that an annotation describes; ValueError when it does not."""
    try:
        found = json.loads(annotation)
        known = {key: found[key] for key in Hardware._fields if key in found}
        hardware = Hardware(**known)
        typed = hardware._replace(gpus=int(hardware.gpus), memory=int(hardware.memory), mig_capable=bool(hardware.mig_capable))
        split_capability(typed.compute)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError("not a description of GPUs: %s" % error) from error
    return typed


def family_of(compute):
    """Return the architecture by compute capability (k8s-device-plugin 0.20.0, internal/lm/resource.go)."""
    major, minor = split_capability(compute)
    if major == 7:
        return "volta" if minor < 5 else "turing"
    if major == 8:
        return "ampere" if minor < 9 else "ada-lovelace"
    names = {1: "tesla", 2: "fermi", 3: "kepler", 5: "maxwell", 6: "pascal", 9: "hopper", 10: "blackwell", 12: "blackwell", 13: "rubin"}
    return names.get(major, "undefined")


def split_capability(compute):
    """Return a compute capability as two numbers."""
    major, dot, minor = str(compute).partition(".")
    return int(major), int(minor if dot else 0)


def cuda_of(driver):
    """Return the CUDA version that a driver reports: its branch's, else that of the nearest older branch."""
    branch = int(str(driver).split(".", maxsplit=1)[0])
    older = [each for each in _CUDA if each <= branch]
    return _CUDA[max(older) if older else min(_CUDA)]


def _known(model):
    wanted = _plain(model)
    for name, card in MODELS.items():
        if wanted in (_plain(name), _plain(card.product)):
            return card
    raise ValueError("is not a known GPU model; known are " + ", ".join(MODELS))


def _plain(name):
    """Return a model's name without what people leave out or write differently."""
    return re.sub(r"[^A-Z0-9]", "", re.sub(r"\b(NVIDIA|TESLA|GEFORCE)\b", "", str(name).upper().replace("_", " ")))


def _own(model):
    """Return the Model that a mapping describes."""
    unknown = [str(key) for key in model if key not in _OWN_KEYS]
    missing = [key for key in ("product", "memory", "compute") if not model.get(key)]
    if unknown or missing:
        what = ["unknown: " + ", ".join(unknown)] if unknown else []
        what += ["missing: " + ", ".join(missing)] if missing else []
        raise ValueError("must have the keys product, memory and compute, and may have family and mig_capable (%s)" % "; ".join(what))
    if not re.match(r"^[0-9]{1,2}\.[0-9]$", str(model["compute"])):
        raise ValueError('must have a compute capability in quotes, such as "8.0"')
    if not re.match(r"^[1-9][0-9]*$", str(model["memory"])):
        raise ValueError("must have its memory as a whole number of MiB")
    return Model(str(model["product"]), int(model["memory"]), str(model["compute"]), _true(model.get("mig_capable", False)))


def _true(value):
    """Return a truth value that a template may have made text."""
    return value is True or str(value).lower() in ("true", "yes", "1")
