# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of roles and playbooks share: a look at all that they could change."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def seen():
    """Return seen(client): all that site.yml could change, by uid or name."""

    def look(client):
        found = {}
        for path in ("/api/v1/namespaces", "/api/v1/configmaps", "/api/v1/secrets", "/apis/apps/v1/daemonsets"):
            for item in client.request("GET", path)["items"]:
                # What the control plane itself writes into each namespace comes when it comes.
                if item["metadata"]["name"] in ("kube-root-ca.crt", "extension-apiserver-authentication"):
                    continue
                found[item["metadata"]["uid"]] = item["metadata"]["name"], item["metadata"].get("generation"), item.get("data")
        for node in client.request("GET", "/api/v1/nodes")["items"]:
            found[node["metadata"]["name"]] = node["metadata"]["labels"], node["metadata"]["annotations"], node["status"]["capacity"]
        return found

    return look
