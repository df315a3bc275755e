# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML as sigs.k8s.io/yaml reads it: YAML 1.1 through go-yaml v2, then JSON; pure.

Duplicate keys: the last one wins. Dates stay text, there are no base-60 numbers, y and n are truth values.
"""

from __future__ import annotations

import re

try:
    import yaml

    _Base = yaml.SafeLoader
except ImportError:  # ansible-core brings it; importing this file must work everywhere
    yaml = None
    _Base = object


class YamlError(ValueError):
    """The text is no YAML; the message is go-yaml's."""


class _Loader(_Base):
    """PyYAML with go-yaml's idea of which plain words are not text."""

    yaml_implicit_resolvers = {}


_WORDS = (
    ("bool", r"^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$", "yYnNtTfFoO"),
    ("int", r"^(?:[-+]?0b[0-1_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*))$", "-+0123456789"),
    ("float", r"^[-+]?[0-9]*\.?[0-9]+(?:[eE][-+][0-9]+)?$|^[-+]?[0-9]+\.$", "-+0123456789."),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", "<"),
)

# What libyaml (go-yaml's parser) and PyYAML say of the same mistake.
_SAYINGS = (
    (r"expected the node content", "did not find expected node content"),
    (r"expected ',' or '\]'", "did not find expected ',' or ']'"),
    (r"expected ',' or '}'", "did not find expected ',' or '}'"),
    (r"expected <block end>.*block mapping", "did not find expected key"),
    (r"expected <block end>", "did not find expected '-' indicator"),
    (r"mapping values are not allowed", "mapping values are not allowed in this context"),
    (r"could not find expected ':'", "could not find expected ':'"),
    (r"cannot start any token", "found character that cannot start any token"),
)


def load(text):
    """Return the first document of the text as JSON would hold it; YamlError when it is none."""
    if yaml is None:
        raise YamlError("the Python package PyYAML is missing")
    try:
        loader = _Loader(text)
        try:
            return _as_json(loader.get_data()) if loader.check_data() else None
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise YamlError(_message(error)) from error
    except (ValueError, RecursionError) as error:
        raise YamlError("yaml: %s" % error) from error


def _as_json(value):
    """Return the value with text for keys, as JSON has them."""
    if isinstance(value, dict):
        return {_key(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    return value


def _key(key):
    return str(key).lower() if isinstance(key, bool) else str(key)


def _message(error):
    mark = getattr(error, "problem_mark", None)
    said = "%s %s" % (getattr(error, "problem", "") or str(error), getattr(error, "context", "") or "")
    problem = next((ours for pattern, ours in _SAYINGS if re.search(pattern, said)), said.strip())
    if mark is None:
        return "yaml: " + problem
    # go-yaml counts the lines of its scanner from one, those of its parser from zero.
    line = mark.line + (1 if isinstance(error, yaml.scanner.ScannerError) else 0)
    return "yaml: line %d: %s" % (line, problem) if line else "yaml: " + problem


if yaml is not None:
    for _tag, _pattern, _first in _WORDS:
        _Loader.add_implicit_resolver("tag:yaml.org,2002:" + _tag, re.compile(_pattern), list(_first))
    _Loader.bool_values = dict(yaml.SafeLoader.bool_values, y=True, n=False)
