# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all tests share: no test can reach a cluster that it did not start, and real clusters: a control plane with simulated nodes."""

from __future__ import annotations

import os
import re
import secrets

import pytest
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import cluster

from tests import playbooks


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


@pytest.fixture(scope="session")
def player(tmp_path_factory):
    """Return player(made): plays against this cluster, with the stand-in of the chart; without a cluster, plays that need none."""

    def make(made=None):
        version = re.search(r"^version: (.*)$", (playbooks.CHART / "Chart.yaml").read_text(encoding="utf-8"), re.MULTILINE).group(1)
        extra = {"device_plugin_chart": playbooks.CHART, "device_plugin_chart_repository": "", "device_plugin_chart_version": version}
        return playbooks.Player(tmp_path_factory.mktemp("here"), dict(extra, gpu_helm_binary=made.helm) if made else {})

    return make
