# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters of the Kubernetes roles, on values as Ansible hands them over."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.gpuops.kubernetes.plugins.filter import kube as plugin

FILTERS = pathlib.Path(plugin.__file__).parent
OPTIONS = {"distribution": "k3s", "node_type": "server", "first": True, "api_address": "192.0.2.10", "api_port": 6443}


def test_texts_are_what_the_files_become():
    found = plugin.kube_config(dict(OPTIONS, node_labels={"a": "b"}, datastore_endpoint="mysql://u:hidden@tcp(h)/k3s"), "k3s_")
    assert (found["problems"], found["warnings"]) == ([], [])
    assert yaml.safe_load(found["config"]) == {"tls-san": ["192.0.2.10"], "token-file": "/etc/rancher/k3s/cluster-token"}
    assert yaml.safe_load(found["node"]) == {"node-label": ["a=b"]}
    assert yaml.safe_load(found["secrets"]) == {"datastore-endpoint": "mysql://u:hidden@tcp(h)/k3s"}
    assert "hidden" not in found["redacted"] + str(found["settings"])


def test_problems_are_texts_with_the_variable_in_front():
    found = plugin.kube_config(dict(OPTIONS, layers=[["config_host", {"debug": "yes", "tls_san": []}]], token="hidden hidden"), "k3s_")
    assert [text.partition(": ")[0] for text in found["problems"]] == ["k3s_config_host.debug", "k3s_token"]
    assert [text.partition(": ")[0] for text in found["warnings"]] == ["k3s_config_host.tls_san"]
    assert "hidden" not in str(found)


def test_registries_may_be_a_text():
    found = plugin.kube_config(dict(OPTIONS, registries="mirrors: {docker.io: {endpoint: [https://r]}}"))
    assert yaml.safe_load(found["registries"]) == {"mirrors": {"docker.io": {"endpoint": ["https://r"]}}}


def test_registries_that_are_no_yaml_are_told_by_line_alone():
    found = plugin.kube_config(dict(OPTIONS, registries="configs:\n  r: {auth: {password: hidden}\n"), "k3s_")
    (problem,) = found["problems"]
    assert problem.startswith("k3s_registries: 'line ") and "hidden" not in problem


@pytest.mark.parametrize("name", ["distribution", "node_type", "api_port"])
def test_options_without_what_is_always_known_are_a_mistake_of_the_role(name):
    with pytest.raises(AnsibleFilterError, match="kube_config: the options have no %s" % name):
        plugin.kube_config({key: value for key, value in OPTIONS.items() if key != name})


def test_refusals_and_warnings_of_a_cluster_are_told_apart():
    hosts = [{"name": name, "node_type": "server", "hostname": "same", "time": number * 9} for number, name in enumerate("ab")]
    found = plugin.kube_cluster_problems(hosts, "k3s_", "5")
    assert [text.partition(":")[0] for text in found["refusals"]] == ["node name of a and b", "clocks of a and b"]
    assert [text.partition(":")[0] for text in found["warnings"]] == ["servers"]
    assert plugin.kube_cluster_problems([]) == {"refusals": [], "warnings": []}


# As a role has them: templates within templates, and a value that is not a text when it arrives.
TEMPLATED = """
- ansible.builtin.assert:
    that:
      - found.problems == []
      - (found.config | from_yaml).disable == ['servicelb', 'traefik']
      - (found.config | from_yaml)['etcd-snapshot-retention'] == 2
      - cluster.refusals | length == 1
  vars:
    component: "{{ 'trae' ~ 'fik' }}"
    options: {distribution: k3s, node_type: server, first: "{{ 1 == 1 }}", api_address: "{{ address }}", api_port: "{{ 6000 + 443 }}", layers: "{{ layers }}"}
    address: 192.0.2.10
    layers: [[config_cluster, {disable: [servicelb]}], [config_host, {disable+: ["{{ component }}"], etcd-snapshot-retention: "{{ '1' | int + 1 }}"}]]
    found: "{{ options | gpuops.kubernetes.kube_config(prefix='k3s_') }}"
    hosts: [{name: a, node_type: server, api_address: "{{ address }}", config: {tls-san: []}}]
    cluster: "{{ hosts | gpuops.kubernetes.kube_cluster_problems(clock_skew='30') }}"
"""


def test_the_filters_do_in_a_playbook_what_their_documentation_shows(tmp_path):
    tasks = yaml.safe_load(TEMPLATED)
    for name in sorted(plugin.FilterModule().filters()):
        tasks += yaml.safe_load(yaml.safe_load((FILTERS / (name + ".yml")).read_text(encoding="utf-8"))["EXAMPLES"])
    book = tmp_path / "play.yml"
    book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    command = ["ansible-playbook", "-i", "localhost,", "-c", "local", str(book)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "ok=4" in done.stdout and "nvidia-tesla-t4" in done.stdout and "nvidia-geforce-rtx-2080-ti" in done.stdout


@pytest.mark.parametrize("model, label", [("Tesla T4", "nvidia-tesla-t4"), ("", "")])
def test_a_model_becomes_a_label(model, label):
    assert plugin.FilterModule().filters()["accelerator_label"](model) == label
