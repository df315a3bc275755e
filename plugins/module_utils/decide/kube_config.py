# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""The configuration file of one node: out of typed options and layers, with what is wrong with them, and without secrets for a diff. No I/O."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_distributions import DISTRIBUTIONS
from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_keys import ALIASES, COMPONENTS, KEYS, ONCE, OURS, Key
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_text
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.kube_text import HIDDEN, as_list, meant, split

Layer = t.Tuple[str, t.Any]
Layers = t.Union[t.Sequence[Layer], t.Mapping[str, t.Any]]

# What Go's strconv.ParseBool and ParseDuration take.
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_DURATION = re.compile(r"([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+")
_SECRET_NAME = re.compile(r"token|secret|password|passwd|auth|access-key|datastore-endpoint", re.IGNORECASE)
# The node's labels and taints: the service need not be restarted for them, they can be set on the node itself.
NODE_KEYS = ("node-label", "node-taint")

# Options that become a key of the same name with dashes, where they are not empty.
_PLAIN = (
    "cluster_cidr",
    "cluster_dns",
    "cluster_domain",
    "datastore_endpoint",
    "default_runtime",
    "disable",
    "docker",
    "flannel_backend",
    "node_ip",
    "selinux",
    "service_cidr",
    "system_default_registry",
    "tls_san",
)
_NETWORK = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}")
_RENAMED = {"kubelet_args": "kubelet-arg", "kubeconfig_mode": "write-kubeconfig-mode", "node_taints": "node-taint"}


def pairs(layers: t.Optional[Layers]) -> t.List[Layer]:
    """Return layers as names with mappings, lowest first, also where they are given as one mapping in that order."""
    return list(layers.items()) if isinstance(layers, t.Mapping) else [(layer[0], layer[1]) for layer in layers or []]


def merge_layers(layers: Layers) -> t.Dict[str, t.Any]:
    """Return what layers mean together, lowest first, as the distribution itself merges config.yaml and config.yaml.d (pkg/configfilearg/parser.go).

    A later value replaces an earlier one; C(key+) appends to what is there, and single values become lists for that. No key of the result has a plus.
    """
    merged: t.Dict[str, t.Any] = {}
    for name, layer in pairs(layers):
        for key, value in (layer or {}).items():
            plain = str(key)[:-1] if str(key).endswith("+") else str(key)
            if plain != str(key) and merged.get(plain) is not None:
                merged[plain] = _items(merged[plain]) + _items(value)
            else:
                merged[plain] = value
    return merged


def _items(value: t.Any) -> t.List[t.Any]:
    if isinstance(value, (list, tuple)):
        return list(value)
    return [] if value is None or _word(value).strip() == "" else [value]


def _word(value: t.Any) -> str:
    """Return a single value as the distribution's command line has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def build(options: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """Return the whole configuration of one node.

    C(options) has C(distribution), C(node_type), C(api_address), C(api_port), and where they apply C(first), C(servers) (how many), C(cluster_init),
    C(server_addresses) (addresses and names of all servers), C(node_name), C(data_dir), C(token_file), C(agent_token_file), C(node_labels) (a mapping),
    C(layers) (names with mappings, lowest first), and the options above. What is empty is left out, and so are keys of the other node type, which may stand
    in a layer for all hosts: the service would skip them, and restart when they change. Layers go before options.
    """
    distribution, server = options["distribution"], options["node_type"] == "server"
    keys = KEYS[distribution]
    typed = {name.replace("_", "-"): options.get(name) for name in _PLAIN}
    typed.update({key: options.get(name) for name, key in _RENAMED.items()})
    typed["node-label"] = ["%s=%s" % (key, _word(value)) for key, value in sorted((options.get("node_labels") or {}).items())]
    merged = merge_layers([("", {key: value for key, value in typed.items() if value})] + pairs(options.get("layers")))
    merged = {key: value for key, value in merged.items() if key not in keys or options["node_type"] in keys[key].types}
    if server:
        # They are in every certificate whatever a layer says, since joining hosts and the controller use them.
        merged["tls-san"] = split([options.get("api_address") or ""] + as_list(options.get("server_addresses")) + as_list(merged.get("tls-san")))
    merged.update(_ours(options, merged.get("datastore-endpoint")))
    known = {key: _value(keys[key].kind, value) if key in keys else value for key, value in merged.items()}
    return {key: value for key, value in sorted(known.items()) if not _empty(value)}


def _ours(options: t.Mapping[str, t.Any], datastore: t.Any) -> t.Dict[str, t.Any]:
    """Return the keys that the role decides about."""
    server = options["node_type"] == "server"
    found = {
        "node-name": options.get("node_name"),
        "data-dir": options.get("data_dir"),
        "token-file": options.get("token_file") or DISTRIBUTIONS[options["distribution"]].token,
    }
    if server:
        found["agent-token-file"] = options.get("agent_token_file")
    if server and options.get("first"):
        several = int(options.get("servers") or 1) > 1 or options.get("cluster_init")
        # An external datastore is what the servers share: no etcd of their own, and no server to join.
        found["cluster-init"] = True if several and not datastore else None
    elif not server or not datastore:
        found["server"] = api_url(options["api_address"], options["api_port"])
    return found


def api_url(address: str, port: t.Any) -> str:
    """Return the URL of an API server, with the brackets that an IPv6 address needs."""
    return "https://%s:%s" % ("[%s]" % address if ":" in address and not address.startswith("[") else address, port)


def _empty(value: t.Any) -> bool:
    return value is None or value == "" or value == [] or value == {}


def _value(kind: str, value: t.Any) -> t.Any:
    """Return a value in the type of its key; what does not fit stays as it is, and problems() tells of it."""
    if value is None:
        return None
    if kind == "list":
        return [_word(item) for item in _items(value)]
    if kind == "bool" and _word(value) in _TRUE + _FALSE:
        return _word(value) in _TRUE
    if kind == "int" and re.fullmatch(r"-?[0-9]+", _word(value)):
        return int(value)
    return _word(value) if kind in ("string", "duration") and not isinstance(value, (t.Mapping, list)) else value


def render(config: t.Mapping[str, t.Any]) -> str:
    """Return the text of the configuration file, empty for no keys."""
    return kube_text.yaml_text(config)


def parts(distribution: str, config: t.Mapping[str, t.Any]) -> t.Dict[str, t.Dict[str, t.Any]]:
    """Return the configuration as three: C(secrets), C(node) (labels and taints), and C(config), the rest."""
    keys = KEYS[distribution]
    found: t.Dict[str, t.Dict[str, t.Any]] = {"config": {}, "node": {}, "secrets": {}}
    for key, value in config.items():
        found["secrets" if _secret(keys, key) else "node" if key in NODE_KEYS else "config"][key] = value
    return found


def redact(distribution: str, config: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """Return the configuration for a diff: of secrets only that they are there, of URLs no password."""
    keys = KEYS[distribution]
    return {key: _hidden(key, value) if _secret(keys, key) else value for key, value in config.items()}


def _hidden(key: str, value: t.Any) -> t.Any:
    if key in ("datastore-endpoint", "etcd-s3-proxy"):
        return kube_text.without_credentials(str(value))
    return HIDDEN


def _secret(keys: t.Mapping[str, t.Any], key: str) -> bool:
    """Tell whether a value must not be shown; a misspelt key's neither."""
    if key in keys:
        return keys[key].secret
    return bool(_SECRET_NAME.search(key)) or _SECRET_NAME.search(meant(key, keys)) is not None


def problems(
    distribution: str, node_type: str, layers: Layers, prefix: str = "", shared: t.Sequence[str] = (), version: str = ""
) -> t.List[Problem]:
    """Return what is wrong with layers of configuration, which are given for one type of node.

    :param prefix: what stands before the names of the layers and of our options, so that a role's user reads the role's variables.
    :param shared: names of layers that are for servers and agents alike, so that keys of either are right in them.
    :param version: the wanted release, for keys that it does not know yet.
    """
    found: t.List[Problem] = []
    for name, layer in pairs(layers):
        path = prefix + name
        if layer is not None and not isinstance(layer, t.Mapping):
            found.append(Problem(path, type(layer).__name__, "a configuration is a map of keys", "write it as keys and values"))
            continue
        for given, value in (layer or {}).items():
            key = str(given)[:-1] if str(given).endswith("+") else str(given)
            place = _Place(distribution, node_type, "%s.%s" % (path, given), prefix, name in shared, version)
            found += _key_problems(place, key, value)
    return found


class _Place(t.NamedTuple):
    """Where a key stands."""

    distribution: str
    node_type: str
    path: str
    prefix: str
    shared: bool
    version: str


def _key_problems(place: _Place, key: str, value: t.Any) -> t.List[Problem]:
    keys, path = KEYS[place.distribution], place.path
    shown = redact(place.distribution, {key: value})[key]
    full = ALIASES.get(key, key)
    if full in OURS:
        fix = "remove it, and set %s%s" % (place.prefix, OURS[full]) if OURS[full] else "remove it: another one than the default is not supported here"
        return [Problem(path, HIDDEN if keys[full].secret else value, "this key is written for you", fix)]
    if key in ALIASES:
        return [Problem(path, value, "a second name of %s, which can then be there twice" % full, "write it as %s" % full)]
    if key in ONCE or key == "config":
        return [Problem(path, value, "it would act at every start of the service", "remove it, and run the command once by hand")]
    if key not in keys:
        near = meant(key, keys)
        rule = "%s %s knows no such key, and skips it without an error" % (place.distribution, place.node_type)
        return [Problem(path, shown, rule, "did you mean %s?" % near if near else "correct or remove it", "warn")]
    entry = keys[key]
    if place.node_type not in entry.types and not place.shared:
        rule = "only the %s knows this key: the %s skips it without an error" % (entry.types[0], place.node_type)
        return [Problem(path, shown, rule, "move it to the configuration of the %ss" % entry.types[0])]
    if path.endswith("+") and entry.kind != "list":
        return [Problem(path, shown, "it takes one value, to which nothing can be appended", "write %s" % key)]
    return _entry_problems(place, key, value)


def option_problems(options: t.Mapping[str, t.Any], prefix: str = "") -> t.List[Problem]:
    """Return what is wrong with the options that become keys of the configuration; see build()."""
    found: t.List[Problem] = []
    for name, key in [(name, name.replace("_", "-")) for name in _PLAIN] + sorted(_RENAMED.items()):
        if options.get(name):
            place = _Place(options["distribution"], options["node_type"], prefix + name, prefix, True, options.get("version") or "")
            found += _entry_problems(place, key, options[name])
    return found


def _entry_problems(place: _Place, key: str, value: t.Any) -> t.List[Problem]:
    """Return what is wrong with the value of a known key."""
    entry, path = KEYS[place.distribution][key], place.path
    shown = redact(place.distribution, {key: value})[key]
    wrong = type_problem(entry.kind, key, value)
    if wrong:
        return [Problem(path, shown, wrong[0], wrong[1])]
    if entry.choices and value is not None and _word(value) not in entry.choices + ("",):
        near = meant(_word(value), entry.choices)
        return [Problem(path, shown, "must be one of: %s" % ", ".join(entry.choices), "did you mean %s?" % near if near else "use one of these")]
    return _list_problems(path, key, split(value) if entry.kind == "list" else []) + _advice(place, entry, key, value, shown)


def _list_problems(path: str, key: str, values: t.List[str]) -> t.List[Problem]:
    """Return the items of a list that cannot be what the key holds."""
    found = []
    for item in values:
        if key in ("cluster-cidr", "service-cidr") and not _NETWORK.fullmatch(item):
            found.append(Problem(path, item, "not a network", "write one such as 10.42.0.0/16"))
        if key in ("node-ip", "node-external-ip") and not kube_text.is_address(item):
            found.append(Problem(path, item, "not an address", "write one of the host's addresses"))
        if key == "tls-san" and not (kube_text.is_address(item) or kube_text.is_name(item[2:] if item.startswith("*.") else item)):
            found.append(Problem(path, item, "neither an address nor a name", "write it without https:// and without a port"))
    return found


def _advice(place: _Place, entry: Key, key: str, value: t.Any, shown: t.Any) -> t.List[Problem]:
    """Return what the distribution takes, and does not do what it looks like."""
    found = []
    if entry.instead:
        found.append(Problem(place.path, shown, "deprecated, and newer releases skip it", "use %s" % entry.instead, "warn"))
    if entry.since and place.version and _minor(place.version) < _minor(entry.since):
        rule = "it came with %s, and an older release may skip it without an error" % entry.since
        found.append(Problem(place.path, shown, rule, "remove it, or set a newer version", "warn"))
    known = COMPONENTS[place.distribution]
    for name in split(value) if key == "disable" else []:
        if name not in known:
            near = meant(name, known)
            rule = "%s brings no such component: %s" % (place.distribution, ", ".join(known))
            found.append(Problem(place.path, name, rule, "did you mean %s?" % near if near else "correct or remove it", "warn"))
    return found


def _minor(version: str) -> t.List[int]:
    """Return major and minor of a version, nothing for what is none."""
    return [int(part) for part in re.findall(r"[0-9]+", version)[:2]]


_A = {"bool": "true or false", "int": "a whole number", "string": "one text", "list": "a list of texts", "duration": "a duration"}


def type_problem(kind: str, key: str, value: t.Any) -> t.Optional[t.Tuple[str, str]]:
    """Return rule and fix for a value of another type than the key has; None when it fits. Nothing (null) removes what a lower layer has."""
    if value is None:
        return None
    if isinstance(value, t.Mapping):
        return "a map, where %s is needed" % _A[kind], "write a list, such as [name=value]" if kind == "list" else "write one value"
    if kind == "list":
        nested = [item for item in _items(value) if isinstance(item, (t.Mapping, list, tuple)) or item is None]
        return ("a list in which an item is no text", "write every item as one text, such as name=value") if nested else None
    if isinstance(value, (list, tuple)):
        return "a list, where %s is needed" % _A[kind], "write one value"
    word = _word(value)
    if kind == "bool" and word not in _TRUE + _FALSE:
        return "neither true nor false", "write true or false"
    if kind == "int" and not re.fullmatch(r"-?[0-9]+", word):
        return "no whole number", "write a whole number"
    if kind == "duration" and not _DURATION.fullmatch(word):
        return "no duration", "write a number with a unit, such as 30s or 5m"
    if re.search(r"[\x00-\x1f]", word):
        return "it holds a line break or another control character", "write it on one line"
    if key == "write-kubeconfig-mode" and word and not mode_is_right(value):
        return "no file mode", 'quote it as four octal digits, such as "0640" (YAML reads an unquoted 0640 as the number 416)'
    return None


def mode_is_right(value: t.Any) -> bool:
    """Tell whether a value is a file mode in octal digits.

    An unquoted 0644 arrives as the number 420. As a number, only what the owner may read and write is therefore taken for meant.
    """
    if isinstance(value, bool):
        return False
    return bool(re.fullmatch(r"[67][0-7]{2}" if isinstance(value, int) else r"0?[0-7]{3}", str(value)))
