# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of GPU models and what a node's annotation says."""

from __future__ import annotations

import json

import pytest

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator import hardware


def test_a_described_node():
    assert hardware.describe("A100-SXM4-80GB", 8, "580.95.05") == {
        "product": "NVIDIA-A100-SXM4-80GB",
        "gpus": 8,
        "memory": 81920,
        "compute": "8.0",
        "family": "ampere",
        "mig_capable": True,
        "mode": "compute",
        "driver": "580.95.05",
        "cuda": "13.0",
    }


@pytest.mark.parametrize("name", ["t4", "Tesla T4", "NVIDIA_T4", "NVIDIA T4"])
def test_a_model_is_found_however_it_is_written(name):
    assert hardware.describe(name, 1)["product"] == "Tesla-T4"


def test_names_are_unambiguous():
    plain = [hardware._plain(name) for name in hardware.MODELS]
    assert len(set(plain)) == len(plain)


def test_an_unknown_model_names_the_known_ones():
    with pytest.raises(ValueError, match="is not a known GPU model; known are K80, .*H100-SXM, "):
        hardware.describe("H1000", 1)


@pytest.mark.parametrize("name", sorted(hardware.MODELS))
def test_every_model_survives_its_annotation(name):
    described = hardware.describe(name, 2)
    parsed = hardware.parse(json.dumps(described))
    assert (parsed.product, parsed.gpus, parsed.family) == (described["product"], 2, described["family"])
    assert parsed.family != "undefined"
    assert parsed.memory > 1000


@pytest.mark.parametrize(
    "compute, family",
    [
        ("3.7", "kepler"), ("5.2", "maxwell"), ("6.1", "pascal"), ("7.0", "volta"), ("7.5", "turing"), ("8.6", "ampere"),
        ("8.9", "ada-lovelace"), ("9.0", "hopper"), ("10.3", "blackwell"), ("12.0", "blackwell"), ("13.0", "rubin"), ("11.0", "undefined"),
    ],
)  # fmt: skip
def test_family(compute, family):
    assert hardware.family_of(compute) == family


@pytest.mark.parametrize(
    "driver, cuda",
    [("580.95.05", "13.0"), ("595.91.07", "13.2"), ("570.148.08", "12.8"), ("551.23", "12.4"), ("390.157", "11.0"), ("700.1", "13.2")],
)
def test_cuda_by_driver_branch(driver, cuda):
    assert hardware.cuda_of(driver) == cuda


def test_a_card_that_is_not_in_the_table():
    own = {"product": "NVIDIA X1", "memory": 1000, "compute": "9.0", "mig_capable": "true"}
    assert hardware.describe(own, 1)["family"] == "hopper"
    assert hardware.describe(own, 1)["mig_capable"] is True
    assert hardware.describe(dict(own, family="ampere"), 1)["family"] == "ampere"


@pytest.mark.parametrize(
    "own, words",
    [
        ({"product": "X"}, "missing: memory, compute"),
        ({"product": "X", "memory": 1, "compute": "9.0", "cores": 3}, "unknown: cores"),
        ({"product": "X", "memory": 1, "compute": "nine"}, "compute capability in quotes"),
        ({"product": "X", "memory": "80GB", "compute": "9.0"}, "whole number of MiB"),
    ],
)
def test_a_card_described_wrongly(own, words):
    with pytest.raises(ValueError, match=words):
        hardware.describe(own, 1)


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"product": "x"}', "null"])
def test_an_annotation_that_describes_nothing(text):
    with pytest.raises(ValueError, match="not a description of GPUs"):
        hardware.parse(text)
