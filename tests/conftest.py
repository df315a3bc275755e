# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all tests share: no test can reach a cluster that it did not start, and real clusters: a control plane with simulated nodes."""

from __future__ import annotations

import os
import secrets

import pytest
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import cluster


@pytest.fixture(scope="session", autouse=True)
def no_ambient_cluster():
    """Hide the clusters of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name == "KUBECONFIG" or name.startswith("K8S_AUTH_"):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def testbed():
    """Return testbed(nodes, **options): a cluster as new with these nodes; the one that the call before gave ends.

    Options are those of cluster.Options; ConfigMaps reach pods within two seconds unless a test says otherwise.
    """
    name = "test-" + secrets.token_hex(4)

    def make(nodes, **options):
        options.setdefault("configmap_delay", (1.0, 2.0))
        cluster.down(name)
        return cluster.up(name, nodes, options=cluster.Options(**options))

    try:
        yield make
    finally:
        cluster.down(name)
