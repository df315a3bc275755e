# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""A role's options for one node as the texts of its files, and everything that is wrong with them. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_distributions import DISTRIBUTIONS
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import (
    kube_config,
    kube_environment,
    kube_labels,
    kube_registries,
    kube_tokens,
)
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.kube_text import HIDDEN


class Node(t.NamedTuple):
    """The files of a node as texts (empty: no file), and what others have to know about it.

    C(config), C(node) and C(secrets) are three parts of the configuration; C(settings) is all of it without its secrets, C(redacted) its text.
    """

    problems: t.List[Problem]
    config: str
    node: str
    secrets: str
    registries: str
    environment: str
    settings: t.Dict[str, t.Any]
    redacted: str
    labels: t.Dict[str, str]
    taints: t.List[t.Dict[str, str]]
    api_url: str
    kubeconfig: str
    agentless: bool


def node(options: t.Mapping[str, t.Any], prefix: str = "") -> Node:
    """Return what options mean for one node; see kube_config.build() and kube_environment.variables() for them.

    Beside those, C(version), C(token) and C(agent_token) (only to be checked: files hold them), C(registries) (as the file has it) and
    C(shared_layers) (names of layers that are for servers and agents alike).

    :param prefix: what stands before the options in problems, so that a role's user reads the role's variables.
    """
    distribution = DISTRIBUTIONS[options["distribution"]]
    registries = kube_registries.check(options.get("registries"), prefix + "registries")
    found = problems(options, prefix) + registries.problems
    # What is refused has no meaning to be put together.
    config = {} if any(problem.severity == "refuse" for problem in found) else kube_config.build(options)
    parts = kube_config.parts(distribution.name, config)
    settings = kube_config.redact(distribution.name, config)
    return Node(
        found,
        config=kube_config.render(parts["config"]),
        node=kube_config.render(parts["node"]),
        secrets=kube_config.render(parts["secrets"]),
        registries=registries.text,
        environment=kube_environment.render(kube_environment.variables(dict(options, **_networks(config)))),
        settings=settings,
        redacted=kube_config.render(settings),
        labels=kube_labels.labels(config),
        taints=kube_labels.taints(config),
        api_url=kube_config.api_url(str(options["api_address"]), options["api_port"]) if options.get("api_address") else "",
        kubeconfig=config.get("write-kubeconfig") or distribution.kubeconfig,
        agentless=bool(config.get("disable-agent")),
    )


def _networks(config: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """Return the networks of the final configuration, where a layer may have set them, by the names of the options."""
    keys = ("cluster-cidr", "cluster-domain", "service-cidr")
    return {key.replace("-", "_"): config[key] for key in keys if config.get(key)}


def problems(options: t.Mapping[str, t.Any], prefix: str = "") -> t.List[Problem]:
    """Return what is wrong with options, registries left out."""
    found = kube_config.option_problems(options, prefix)
    found += kube_config.problems(
        options["distribution"],
        options["node_type"],
        options.get("layers") or [],
        prefix,
        options.get("shared_layers") or (),
        options.get("version") or "",
    )
    if options.get("token"):
        found += kube_tokens.problems(options["token"], options["node_type"], prefix + "token")
    if options.get("agent_token"):
        found += kube_tokens.problems(options["agent_token"], "agent", prefix + "agent_token")
        if kube_tokens.password(options["agent_token"]) == kube_tokens.password(options.get("token") or ""):
            rule = "the same as the token of the cluster, so that agents could join servers with it"
            fix = "choose another, or leave %sagent_token out" % prefix
            found.append(Problem(prefix + "agent_token", kube_tokens.mask(options["agent_token"]), rule, fix, "warn"))
    for name in ("default_runtime", "registries"):
        if options.get("docker") and options.get(name):
            fix = "set it up in Docker itself (/etc/docker/daemon.json), and leave %s%s out" % (prefix, name)
            found.append(Problem(prefix + name, HIDDEN, "it is for containerd, and here Docker runs the containers", fix, "warn"))
    joins = options["node_type"] == "agent" or not (options.get("first") or options.get("datastore_endpoint"))
    if joins and not options.get("api_address"):
        found.append(Problem(prefix + "api_address", "", "it is not known whom this host joins", "set it to the address of a server or a load balancer"))
    port = options.get("api_port")
    if port is not None and not (str(port).isdigit() and 0 < int(port) < 65536):
        found.append(Problem(prefix + "api_port", port, "not a port", "write a number from 1 to 65535"))
    return found + kube_environment.problems(options, prefix)
