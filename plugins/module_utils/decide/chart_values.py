# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Helm values against the chart's own values.yaml: Helm ignores a misspelt key without a word. No I/O."""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem

Path = t.Tuple[str, ...]

# Keys that the templates read although values.yaml does not list them. "*" is one key, "**" is everything below.
# nvidia-device-plugin: templates and Chart.yaml of 0.20.0. node-feature-discovery: config is the daemons' own configuration file.
ALLOWED: t.Dict[str, t.Tuple[str, ...]] = {
    "": ("global.**",),
    "nvidia-device-plugin": (
        "config.map.*",
        "devicePlugin.enableHostNetwork",
        "gfd.enableHostNetwork",
        "mps.enableHostNetwork",
        "nfd.enabled",
        "noTimestamp",
        "nvidiaDevRoot",
        "selectorLabelsOverride.*",
        "sleepInterval",
    ),
    "node-feature-discovery": ("master.config.**", "worker.config.**", "topologyUpdater.config.**"),
}

# Keys of values.yaml that no template reads (seen by rendering the chart): set there, they do nothing.
DEAD: t.Dict[str, t.Dict[str, str]] = {
    "nvidia-device-plugin": {"gfd.noTimestamp": "noTimestamp", "gfd.sleepInterval": "sleepInterval"},
}

# Subcharts by the key that configures them: keys there that the parent's values.yaml does not list may be the subchart's own.
SUBCHARTS: t.Dict[str, t.Dict[str, str]] = {"nvidia-device-plugin": {"nfd": "node-feature-discovery"}}

# Maps whose keys are the user's own: there is nothing to compare with.
_FREE_FORM = re.compile(r"^(nodeSelector|matchLabels|limits|requests|featureGates|.*[aA]nnotations|.*[lL]abels)$")

# Types of Kubernetes itself, whose fields the API server checks: values.yaml has the chart's defaults there, not all that may stand there.
_KUBERNETES_TYPE = re.compile(r"^(affinity|resources|strategy|.*[uU]pdateStrategy|.*[sS]ecurityContext|.*Probe|podDisruptionBudget)$")


class _Chart:
    """A chart's values.yaml with what is known about its other keys."""

    def __init__(self, values: dict, name: str, subcharts: t.Dict[str, dict]) -> None:
        self.name = name
        self.tree = {key: _merged(subcharts[key], values.get(key)) if key in subcharts else value for key, value in values.items()}
        for key in subcharts:
            self.tree.setdefault(key, _merged(subcharts[key], {}))
        aliases = SUBCHARTS.get(name, {})
        self.open_subcharts = [key for key in aliases if key not in subcharts]
        self.dead = DEAD.get(name, {})
        below = ["%s.%s" % (alias, pattern) for alias, chart in aliases.items() for pattern in ALLOWED.get(chart, ())]
        self.allowed = [pattern.split(".") for pattern in [*ALLOWED[""], *(ALLOWED.get(name, ()) if name else ()), *below]]
        self.paths = sorted(_paths(self.tree)) + [tuple(pattern) for pattern in self.allowed if not pattern[-1].startswith("*")]

    def allows(self, path: Path) -> bool:
        return any(_matches(pattern, path) for pattern in self.allowed)


def problems(values: t.Any, chart_values: t.Any, chart: str = "", subcharts: t.Optional[t.Dict[str, dict]] = None) -> t.List[Problem]:
    """Return what is wrong with the keys of C(values), which are never shown with their content: it may be secret.

    Refused where the chart has a map with other keys, a warning where the chart leaves open what may stand there.

    :param chart: name of the chart, for the keys that its templates read beyond its values.yaml.
    :param subcharts: values.yaml of subcharts by the key that configures them.
    """
    if not isinstance(values, dict):
        return [Problem("values", type(values).__name__, "chart values are a map", "write them as keys and values")]
    if not isinstance(chart_values, dict):
        return [Problem("values.yaml", type(chart_values).__name__, "the chart's values.yaml is no map", "check that this is the chart that you mean")]
    known = _Chart(chart_values, chart, subcharts or {})
    return _map_problems(values, known.tree, (), known)


def _map_problems(values: dict, reference: t.Any, path: Path, known: _Chart) -> t.List[Problem]:
    found: t.List[Problem] = []
    for key, value in values.items():
        here = path + (str(key),)
        if known.allows(here):
            continue
        if isinstance(reference, dict) and key in reference:
            found += _known_key_problems(value, reference[key], here, known)
        else:
            found.append(_unknown_key(here, reference, known))
    return found


def _known_key_problems(value: t.Any, reference: t.Any, here: Path, known: _Chart) -> t.List[Problem]:
    dotted = ".".join(here)
    if dotted in known.dead:
        rule = "the chart's values.yaml lists it, but no template reads it"
        return [Problem(dotted, here[-1], rule, "set %s instead" % known.dead[dotted], "warn")]
    if _FREE_FORM.match(here[-1]) or _KUBERNETES_TYPE.match(here[-1]):
        return []
    if isinstance(value, dict):
        if isinstance(reference, (list, str, bool, int, float)) and reference not in ("", []):
            return [Problem(dotted, "a map", "the chart has %s there" % _kind(reference), "give it %s" % _kind(reference))]
        return _map_problems(value, reference, here, known)
    if isinstance(reference, dict) and reference and value is not None:
        keys = sorted(map(str, reference))
        return [Problem(dotted, _kind(value), "the chart has a map there (%s)" % _some(keys), "set one of its keys, such as %s.%s" % (dotted, keys[0]))]
    return []


def _unknown_key(here: Path, reference: t.Any, known: _Chart) -> Problem:
    key, parent = here[-1], ".".join(here[:-1])
    listed = isinstance(reference, dict) and bool(reference)
    where = "in %s" % parent if parent else "at the top"
    refused = listed and here[0] not in known.open_subcharts
    if refused:
        rule = "the chart's values.yaml has no such key %s, and Helm would ignore it without a word" % where
    elif listed:
        rule = "the chart's values.yaml has no such key %s; only its subchart may know it" % where
    else:
        rule = "the chart's values.yaml leaves open what stands %s, so that this key cannot be checked" % where
    return Problem(".".join(here), key, rule, _fix(here, reference, known, refused), "refuse" if refused else "warn")


def _fix(here: Path, reference: t.Any, known: _Chart, refused: bool) -> str:
    key, parent = here[-1], here[:-1]
    if "." in key and tuple(key.split(".")) in known.paths:
        return "write it nested, as %s" % ": ".join(key.split("."))
    siblings = [str(name) for name in reference] if isinstance(reference, dict) else []
    siblings += [path[-1] for path in known.paths if path[:-1] == parent]
    near = _nearest(key, siblings)
    if near and near != key:
        return "write %s" % ".".join(parent + (near,))
    elsewhere = [".".join(path) for path in known.paths if path[-1] == key]
    if elsewhere:
        return "move it: the chart has %s" % _some(elsewhere)
    far = _nearest(key, {path[-1] for path in known.paths})
    if far:
        return "perhaps %s is meant" % _some([".".join(path) for path in known.paths if path[-1] == far])
    listed = ", ".join(sorted(set(siblings))[:12])
    return "remove it, or use a key that the chart has there (%s)" % listed if refused else "make sure that the chart's templates read it"


def _nearest(key: str, names: t.Iterable[str]) -> str:
    by_lower = {name.lower().replace("_", "").replace("-", ""): name for name in sorted(names)}
    found = difflib.get_close_matches(key.lower().replace("_", "").replace("-", ""), sorted(by_lower), n=1, cutoff=0.75)
    return by_lower[found[0]] if found else ""


def _paths(tree: t.Any, path: Path = ()) -> t.Iterator[Path]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            here = path + (str(key),)
            yield here
            if not _FREE_FORM.match(here[-1]) and not _KUBERNETES_TYPE.match(here[-1]):
                yield from _paths(value, here)


def _matches(pattern: t.Sequence[str], path: Path) -> bool:
    if pattern and pattern[-1] == "**":
        return path[: len(pattern) - 1] == tuple(pattern[:-1]) and len(path) >= len(pattern) - 1
    return len(pattern) == len(path) and all(one in ("*", other) for one, other in zip(pattern, path))


def _merged(below: t.Any, above: t.Any) -> t.Any:
    """Return a subchart's values with the parent's on top, as Helm coalesces them."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return below if above is None else above
    return dict(below, **{key: _merged(below.get(key), value) for key, value in above.items()})


def _kind(value: t.Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(value), "a string" if isinstance(value, str) else type(value).__name__)


def _some(names: t.Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (", and %d more" % (len(names) - most) if len(names) > most else "")


def changes(before: t.Any, after: t.Any, path: Path = ()) -> t.List[str]:
    """Return the dotted paths at which two sets of values differ, marked C(+) new, C(-) gone, C(~) other content; content is not shown."""
    if isinstance(before, dict) and isinstance(after, dict):
        found: t.List[str] = []
        for key in sorted(set(before) | set(after), key=str):
            here = path + (str(key),)
            if key not in before:
                found.append("+ " + ".".join(here))
            elif key not in after:
                found.append("- " + ".".join(here))
            else:
                found += changes(before[key], after[key], here)
        return found
    return [] if before == after else ["~ " + ".".join(path)]
