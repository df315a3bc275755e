# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which environment variables lead to another cluster."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.filter import redirecting_variables as plugin
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide.environment import redirecting


@pytest.mark.parametrize(("name", "leads_elsewhere"), [
    ("K8S_AUTH_HOST", True),
    ("K8S_AUTH_API_KEY", True),
    ("K8S_AUTH_VERIFY_SSL", True),
    ("K8S_AUTH_PROXY_HEADERS_USER_AGENT", True),
    ("HELM_KUBEAPISERVER", True),
    ("HELM_KUBETOKEN", True),
    ("HELM_KUBEASUSER", True),
    ("K8S_AUTH_KUBECONFIG", False),
    ("K8S_AUTH_CONTEXT", False),
    ("HELM_KUBECONTEXT", False),
    ("KUBECONFIG", False),
    ("HELM_NAMESPACE", False),
    ("HELM_CACHE_HOME", False),
    ("MY_K8S_AUTH_HOST", False),
    ("k8s_auth_host", False),
])
def test_a_variable_that_overrules_kubeconfig_and_context_is_found(name, leads_elsewhere):
    assert redirecting([name]) == ([name] if leads_elsewhere else [])


def test_names_are_sorted_and_contents_are_not_shown():
    environment = {"K8S_AUTH_HOST": "https://other", "PATH": "/bin", "HELM_KUBETOKEN": "secret"}
    assert plugin.FilterModule().filters()["redirecting_variables"](environment) == ["HELM_KUBETOKEN", "K8S_AUTH_HOST"]


def test_an_empty_environment_leads_nowhere():
    assert redirecting({}) == []
