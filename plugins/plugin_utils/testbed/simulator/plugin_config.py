# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The config file of the device plugin, GFD and the MPS daemon, read as leniently as they read it; pure.

Source: k8s-device-plugin 0.20.0, api/config/v1. Unknown keys are ignored, keys of structs match in any case, those of
`timeSlicing`, `mps` and their resources only as written, and both strategies together mean MPS.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple, Optional, Tuple

from . import go_yaml

PREFIX = "nvidia.com"
SHARED_SUFFIX = ".shared"
NONE, TIME_SLICING, MPS = "none", "time-slicing", "mps"
_LONGEST_NAME = 63
_FILE = "unable to finalize config: unable to parse config file: error parsing config file: "
_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_UUID = r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
_DEVICE = re.compile(r"^([0-9]+|[0-9]+:[0-9]+|GPU-%s|MIG-%s|MIG-GPU-%s/[0-9]+/[0-9]+)$" % (_UUID, _UUID, _UUID))


class ConfigError(ValueError):
    """The file is refused; the message is the components' own."""


class Entry(NamedTuple):
    """One shared resource."""

    name: str
    replicas: int


class Replicated(NamedTuple):
    """What sharing.timeSlicing or sharing.mps says, once fields that are not supported are dropped."""

    rename: bool
    fail_above_one: Optional[bool]
    entries: Tuple[Entry, ...]


class Config(NamedTuple):
    """A config file: flags that it sets (by their name on the command line) and how it shares."""

    flags: dict
    time_slicing: Optional[Replicated]
    mps: Optional[Replicated]
    warnings: Tuple[str, ...]

    @property
    def strategy(self):
        """Return the sharing strategy that is in force."""
        if self.mps is not None:
            return MPS
        return TIME_SLICING if self.time_slicing is not None else NONE

    @property
    def replicated(self):
        """Return what is shared under that strategy, or None."""
        return self.mps if self.mps is not None else self.time_slicing

    def fails_above_one(self):
        """Tell whether a request for two replicas is refused: MPS does so unless told otherwise."""
        shared = self.replicated
        if shared is None:
            return False
        return shared.fail_above_one if shared.fail_above_one is not None else self.strategy == MPS


@functools.lru_cache(maxsize=256)
def parse(text):
    """Return the Config in a file's text; ConfigError with the components' words when they would refuse it."""
    try:
        document = go_yaml.load(text)
    except go_yaml.YamlError as error:
        raise ConfigError(_FILE + "unmarshal error: error converting YAML to JSON: %s" % error) from error
    decoder = _Decoder()
    try:
        found = decoder.struct("Config", "", _CONFIG, document, {})
        if decoder.first:
            raise ConfigError(decoder.first)
    except ConfigError as error:
        raise ConfigError(_FILE + "unmarshal error: error unmarshaling JSON: while decoding JSON: %s" % error) from error
    version = found.get("version") or "v1"
    if version != "v1":
        raise ConfigError(_FILE + "unknown version: %s" % version)
    sharing = found.get("sharing", {})
    return Config(_flags(found), sharing.get("timeSlicing"), sharing.get("mps"), tuple(_warnings(found, decoder)))


def _flags(found):
    """Return the flags that the file sets, by their name on the command line."""
    flags = found.get("flags", {})
    every = dict(flags, **flags.get("plugin", {}))
    every.update(("gfd." + key, value) for key, value in flags.get("gfd", {}).items())
    every.update(("imex." + key, value) for key, value in found.get("imex", {}).items())
    return {flag: every[key] for key, flag in _FLAG_NAMES.items() if key in every}


def _warnings(found, decoder):
    if found.get("resources"):
        yield "Customizing the 'resources' field is not yet supported in the config. Ignoring..."
    for field, strategy in sorted(decoder.ignored):
        action = "Setting" if field == "rename" else "Customizing"
        yield "%s the '%s' field in sharing.%s.resources is not yet supported in the config. Ignoring..." % (action, field, strategy)


_FLAG_NAMES = {
    "migStrategy": "mig-strategy",
    "failOnInitError": "fail-on-init-error",
    "mpsRoot": "mps-root",
    "deviceDiscoveryStrategy": "device-discovery-strategy",
    "deviceListStrategy": "device-list-strategy",
    "deviceIDStrategy": "device-id-strategy",
    "sharedDevicesAllocationPolicy": "shared-devices-allocation-policy",
    "imex.channelIDs": "imex-channel-ids",
    "gfd.noTimestamp": "no-timestamp",
    "gfd.machineTypeFile": "machine-type-file",
}


class _Decoder:
    """encoding/json's way through a document: a wrong type is remembered, an error of a custom type ends it."""

    def __init__(self):
        self.first = None
        self.ignored = set()

    def wrong(self, value, type_name, struct, path):
        """Remember the first wrong type."""
        self.first = self.first or _mismatch(value, type_name, struct, path)

    def struct(self, name, path, fields, value, target):
        """Decode a Go struct: keys match in any case, the last of them in sorted order wins."""
        if value is None:
            return target
        if not isinstance(value, dict):
            self.wrong(value, "v1." + name, name if not path else _OUTER[name], path)
            return target
        folded = {field.lower(): field for field in fields}
        for key in sorted(value):
            field = key if key in fields else folded.get(key.lower())
            if field:
                inner = "%s.%s" % (path, field) if path else field
                fields[field](self, name, inner, field, value[key], target)
        return target


_OUTER = {
    "Config": "Config", "Flags": "Config", "Sharing": "Config", "Imex": "Config", "Resources": "Config",
    "PluginCommandLineFlags": "Flags", "GFDCommandLineFlags": "Flags",
}  # fmt: skip


def _mismatch(value, type_name, struct, path):
    where = "Go struct field %s.%s" % (struct, path) if path else "Go value"
    kind = _kind(value) + (" %s" % value if _kind(value) == "number" and type_name == "int" else "")
    return "json: cannot unmarshal %s into %s of type %s" % (kind, where, type_name)


def _kind(value):
    if isinstance(value, bool):
        return "bool"
    kinds = ((str, "string"), ((int, float), "number"), (list, "array"), (dict, "object"))
    return next((name for types, name in kinds if isinstance(value, types)), "null")


def _nested(name, fields):
    def decode(decoder, struct, path, field, value, target):
        decoder.struct(name, path, fields, value, target.setdefault(field, {}))

    return decode


def _string(decoder, struct, path, field, value, target):
    # sigs.k8s.io/yaml turns numbers and truth values into text where text is wanted.
    if isinstance(value, (bool, int, float)):
        value = str(value).lower()
    if isinstance(value, str):
        target[field] = value
    elif value is not None:
        decoder.wrong(value, "string", struct, path)


def _bool(decoder, struct, path, field, value, target):
    if isinstance(value, bool):
        target[field] = value
    elif value is not None:
        decoder.wrong(value, "bool", struct, path)


def _integers(decoder, struct, path, field, value, target):
    if value is None:
        return
    if not isinstance(value, list):
        decoder.wrong(value, "[]int", struct, path)
        return
    for item in value:
        if _whole(item) is None:
            decoder.wrong(item, "int", struct, path)
    target[field] = [_whole(item) or 0 for item in value]


def _strategies(decoder, struct, path, field, value, target):
    """Decode deviceListStrategy: one text or a list of texts; a comma inside a text does not split it."""
    if isinstance(value, str):
        target[field] = [value]
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        target[field] = value
    elif value is not None:
        raise ConfigError("invalid deviceListStrategy: %s" % _go(value))


def _custom_resources(decoder, struct, path, field, value, target):
    for item in value if isinstance(value, list) else []:
        for key in ("pattern", "name"):
            if not isinstance(item, dict) or key not in item:
                raise ConfigError("resources must have a '%s' field set" % key)
        _resource_name(item["name"], struct, path)
        target[field] = True
    if value is not None and not isinstance(value, list):
        decoder.wrong(value, "[]v1.Resource", struct, path)


def _replicated(pointer):
    """Return the decoder of timeSlicing (a struct: an empty value is refused) or mps (a pointer: it is dropped)."""

    def decode(decoder, struct, path, field, value, target):
        if value is None and pointer:
            target[field] = None
        else:
            target[field] = _shared(decoder, {} if value is None else value, struct, path, field)

    return decode


def _shared(decoder, value, struct, path, strategy):
    if not isinstance(value, dict):
        raise ConfigError(_mismatch(value, "map[string]json.RawMessage", struct, path))
    flags = {}
    for key in ("renameByDefault", "failRequestsGreaterThanOne"):
        flags[key] = value.get(key)
        if flags[key] is not None and not isinstance(flags[key], bool):
            raise ConfigError(_mismatch(flags[key], "bool", struct, path))
    resources = value.get("resources")
    if resources is not None and not isinstance(resources, list):
        raise ConfigError(_mismatch(resources, "[]v1.ReplicatedResource", struct, path))
    if not resources:
        raise ConfigError("no resources specified")
    rename = bool(flags["renameByDefault"])
    entries = tuple(_entry(decoder, item, struct, path, strategy, rename) for item in resources)
    return Replicated(rename, flags["failRequestsGreaterThanOne"], entries)


def _entry(decoder, item, struct, path, strategy, rename):
    item = {} if item is None else item
    if not isinstance(item, dict):
        raise ConfigError(_mismatch(item, "map[string]json.RawMessage", struct, path))
    if "name" not in item:
        raise ConfigError("no resource name specified")
    name = _resource_name(item["name"], struct, path)
    if "devices" in item and _devices(item["devices"]) != "all":
        decoder.ignored.add(("devices", strategy))
    if "replicas" not in item:
        raise ConfigError("no replicas specified")
    replicas = 0 if item["replicas"] is None else _whole(item["replicas"])
    if replicas is None:
        raise ConfigError(_mismatch(item["replicas"], "int", struct, path))
    if replicas < 2:
        raise ConfigError("number of replicas must be >= 2")
    if "rename" in item:
        renamed = _resource_name(item["rename"], struct, path)
        if not rename or renamed != name + SHARED_SUFFIX:
            decoder.ignored.add(("rename", strategy))
    return Entry(name, replicas)


def _whole(value):
    """Return a JSON number as an integer if it is written as one (4.0 is 4 by then), else None."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _resource_name(value, struct, path):
    if value is not None and not isinstance(value, str):
        raise ConfigError(_mismatch(value, "string", struct, path))
    name = value or ""
    if not name.startswith(PREFIX + "/"):
        name = "%s/%s" % (PREFIX, name)
    if len(name) > _LONGEST_NAME:
        raise ConfigError("fully-qualified resource name must be %d characters or less: %s" % (_LONGEST_NAME, name))
    if not _SUBDOMAIN.match(name[len(PREFIX) + 1 :]):
        raise ConfigError("incorrect format for resource name '%s': [%s]" % (name, _SUBDOMAIN_RULE))
    return name


def _devices(value):
    """Return "all", a count or a list, as the field has it; it has no effect beyond being checked."""
    if value is None or isinstance(value, str):
        if value != "all":
            raise ConfigError("devices set as '%s' but the only valid string input is 'all'" % (value or ""))
        return value
    if _whole(value) is not None:
        if _whole(value) <= 0:
            raise ConfigError("devices set as '%d' but a count of devices must be > 0" % _whole(value))
        return value
    if not isinstance(value, list):
        raise ConfigError("unrecognized type for devices spec: %s" % _go(value))
    for item in value:
        index = _whole(item)
        if not (index is not None and index >= 0) and not (isinstance(item, str) and _DEVICE.match(item)):
            raise ConfigError("unsupported type for device in devices list: %s, string" % (item if isinstance(item, str) else ""))
    return value


def _go(value):
    """Return the value as Go prints the JSON of it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{%s}" % ",".join('"%s":%s' % (key, _go(item)) for key, item in sorted(value.items()))
    if isinstance(value, list):
        return "[%s]" % ",".join(_go(item) for item in value)
    return '"%s"' % value if isinstance(value, str) else "null" if value is None else str(value)


_CONFIG = {
    "version": _string,
    "flags": _nested(
        "Flags",
        {
            "migStrategy": _string,
            "failOnInitError": _bool,
            "mpsRoot": _string,
            "nvidiaDriverRoot": _string,
            "nvidiaDevRoot": _string,
            "gdrcopyEnabled": _bool,
            "gdsEnabled": _bool,
            "mofedEnabled": _bool,
            "useNodeFeatureAPI": _bool,
            "deviceDiscoveryStrategy": _string,
            "plugin": _nested(
                "PluginCommandLineFlags",
                {
                    "passDeviceSpecs": _bool,
                    "deviceListStrategy": _strategies,
                    "deviceIDStrategy": _string,
                    "cdiAnnotationPrefix": _string,
                    "nvidiaCTKPath": _string,
                    "containerDriverRoot": _string,
                    "sharedDevicesAllocationPolicy": _string,
                },
            ),
            "gfd": _nested(
                "GFDCommandLineFlags",
                {"oneshot": _bool, "noTimestamp": _bool, "outputFile": _string, "machineTypeFile": _string},
            ),
        },
    ),
    "resources": _nested("Resources", {"gpus": _custom_resources, "mig": _custom_resources}),
    "sharing": _nested("Sharing", {"timeSlicing": _replicated(False), "mps": _replicated(True)}),
    "imex": _nested("Imex", {"channelIDs": _integers, "required": _bool}),
}
