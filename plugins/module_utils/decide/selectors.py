# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Label selectors: read as requirements, and kept from losing nodes whose labels sharing changes. No I/O."""

from __future__ import annotations

import re
import typing as t

PRODUCT = "nvidia.com/gpu.product"
SHARED = "-SHARED"
# Labels that follow the sharing: what selects nodes by them would select others as soon as it is applied.
FOLLOWING = ("nvidia.com/device-plugin.config", "nvidia.com/gpu.replicas", "nvidia.com/gpu.sharing-strategy", "nvidia.com/mps.capable")
_REQUIREMENT = re.compile(r"^\s*(!?)\s*([^\s!=<>()]+)\s*(?:(==|=|!=|>|<)\s*(\S*)|(in|notin)\s*\(([^)]*)\))?\s*$")
_OPERATORS = {"==": "In", "=": "In", "!=": "NotIn", ">": "Gt", "<": "Lt", "in": "In", "notin": "NotIn"}
_FORMS = {"In": "%s in (%s)", "NotIn": "%s notin (%s)", "Gt": "%s > %s", "Lt": "%s < %s"}


def expressions(selector: str) -> t.List[dict]:
    """Return a label selector as requirements of a node affinity (C(key), C(operator), C(values)).

    Raises: ValueError for what no API server would take either.
    """
    found = []
    for text in re.split(r",(?![^(]*\))", selector) if selector.strip() else []:
        match = _REQUIREMENT.match(text)
        if match is None:
            raise ValueError("not a requirement of a label selector: %r" % text)
        absent, key, sign, value, word, values = match.groups()
        if not (sign or word):
            found.append({"key": key, "operator": "DoesNotExist" if absent else "Exists"})
            continue
        named = [value] if sign else [each.strip() for each in values.split(",")]
        found.append({"key": key, "operator": _OPERATORS[sign or word], "values": named})
    return found


def text(requirements: t.Sequence[dict]) -> str:
    """Return requirements as a label selector."""
    written = []
    for each in requirements:
        form = _FORMS.get(each["operator"])
        written.append(form % (each["key"], ",".join(each["values"])) if form else "!" * (each["operator"] == "DoesNotExist") + each["key"])
    return ",".join(written)


def lasting(selector: str) -> str:
    """Return a selector that matches the same nodes before and after their GPUs are shared.

    GPU feature discovery adds -SHARED to the product of a shared GPU. What is no selector comes back as it is: the server says why.
    """
    try:
        requirements = expressions(selector)
    except ValueError:
        return selector
    if not any(each["key"] == PRODUCT and "values" in each for each in requirements):
        return selector
    for each in requirements:
        if each["key"] == PRODUCT and "values" in each:
            plain = [value[: -len(SHARED)] if value.endswith(SHARED) else value for value in each["values"]]
            each["values"] = sorted({form for value in plain for form in (value, value + SHARED)})
    return text(requirements)


def following(selector: str) -> t.List[str]:
    """Return the labels in a selector that follow the sharing, so that nothing can be assigned by them."""
    try:
        return sorted({each["key"] for each in expressions(selector)} & set(FOLLOWING))
    except ValueError:
        return []
