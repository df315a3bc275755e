# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Variables of an environment that lead kubernetes.core or helm to another cluster or user than kubeconfig and context say. No I/O."""

from __future__ import annotations

import typing as t

PREFIXES = ("K8S_AUTH_", "HELM_KUBE")
# Overruled by the kubeconfig and context that every task of ours gives.
OVERRULED = ("K8S_AUTH_KUBECONFIG", "K8S_AUTH_CONTEXT", "HELM_KUBECONTEXT")


def redirecting(names: t.Iterable[str]) -> t.List[str]:
    """Return those of the names of environment variables that must not be set, sorted."""
    return sorted(name for name in names if name.startswith(PREFIXES) and name not in OVERRULED)
