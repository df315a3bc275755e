# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Texts of the files of a node, and values without their passwords. The standard library is all that a host has: no YAML package. No I/O."""

from __future__ import annotations

import difflib
import json
import re
import typing as t

HEADER = "# Managed by gpuops.kubernetes: changes made here are overwritten.\n"
HIDDEN = "***"
_CREDENTIALS = re.compile(r"(://).*@", re.DOTALL)
_OCTET = r"(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_IPV4 = re.compile(r"%s(\.%s){3}" % (_OCTET, _OCTET))
_IPV6 = re.compile(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*\.?", re.IGNORECASE)
_PARAMETER = re.compile(r"([?&][^=&]*(?:pass|pwd|secret|token|key)[^=&]*=)[^&\s]*", re.IGNORECASE)


def yaml_text(mapping: t.Mapping[str, t.Any]) -> str:
    """Return a mapping as YAML with sorted keys below the header, an empty text for an empty mapping.

    Every text is quoted: YAML 1.1 takes an unquoted 0644 for a number and an unquoted no for a truth value.
    """
    return HEADER + "".join(_lines(mapping, 0)) if mapping else ""


def _lines(value: t.Any, depth: int) -> t.Iterator[str]:
    space = "  " * depth
    if isinstance(value, t.Mapping) and value:
        for key in sorted(value, key=str):
            yield from _entry("%s%s:" % (space, _key(str(key))), value[key], depth)
    elif isinstance(value, (list, tuple)) and value:
        for item in value:
            yield from _entry(space + "-", item, depth)


def _entry(start: str, value: t.Any, depth: int) -> t.Iterator[str]:
    if isinstance(value, (t.Mapping, list, tuple)) and value:
        yield start + "\n"
        yield from _lines(value, depth + 1)
    else:
        yield "%s %s\n" % (start, _scalar(value))


def _key(text: str) -> str:
    return text if re.fullmatch(r"[a-z][a-z0-9_-]+\+?", text) and text not in ("yes", "no", "on", "off", "true", "false", "null") else _scalar(text)


def _scalar(value: t.Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    """Return the escape of a letter that YAML, other than JSON, does not take as it is."""
    return "\\U%08x" % ord(letter) if ord(letter) > 0xFFFF else json.dumps(letter)[1:-1]


def without_credentials(text: str) -> str:
    """Return a URL or a data source name without user and password."""
    return _PARAMETER.sub(r"\g<1>" + HIDDEN, _CREDENTIALS.sub(r"\g<1>%s@" % HIDDEN, text))


def without(text: str, secrets: t.Iterable[str]) -> str:
    """Return a text without these secrets. Such as are shorter than four letters say nothing, and would hide half of the text."""
    for secret in sorted({secret for secret in secrets if len(secret) > 3}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def meant(name: str, known: t.Iterable[str]) -> str:
    """Return the name that a misspelt one comes nearest to, empty when none is near."""
    found = difflib.get_close_matches(name.lower().replace("_", "-"), sorted(known), 1, 0.7)
    return found[0] if found else ""


def as_list(value: t.Any) -> t.List[t.Any]:
    """Return a list as it is, one value as a list of one, nothing as an empty list."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def split(values: t.Any) -> t.List[str]:
    """Return the parts of a list whose items may hold commas, each once, in order (k3s: pkg/util SplitStringSlice)."""
    parts = [part.strip() for value in as_list(values) for part in str(value).split(",")]
    return list(dict.fromkeys(part for part in parts if part))


def is_address(text: str) -> bool:
    """Tell whether a text is an IPv4 or IPv6 address."""
    return bool(_IPV4.fullmatch(text) or (_IPV6.fullmatch(text) and text.count(":") >= 2))


def is_name(text: str) -> bool:
    """Tell whether a text could be the name of a host; four numbers with dots are not."""
    return len(text) <= 253 and bool(_NAME.fullmatch(text)) and not re.fullmatch(r"[0-9.]+", text)
