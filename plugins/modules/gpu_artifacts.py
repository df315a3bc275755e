#!/usr/bin/python
# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_artifacts
short_description: Fetch the files of a release onto a host by their checksums
version_added: "1.0.0"
author: gpuops contributors (@gpuops)
description:
  - Fetches files from a mirror, and keeps each only when its SHA-256 is right, under that SHA-256 as file name. Files that are there are not fetched again.
  - Proxies are options, and not environment variables of the task, because these show in the output of ansible-playbook with C(-vvv) and in the list of
    processes on the host, with the passwords in them.
  - A server that is not there or breaks off is tried three times. What was fetched in part is not kept.
extends_documentation_fragment:
  - gpuops.kubernetes.host
  - gpuops.kubernetes.attributes.writer
options:
  artifact_url:
    description: URL of the directory with the files of the release, without user and password.
    type: str
    required: true
  artifact_user:
    description: User who is known there.
    type: str
    default: ""
  artifact_password:
    description: Password of that user.
    type: str
  files:
    description: The SHA-256 of each file that the host is to have, by file name.
    type: dict
    default: {}
  texts:
    description: Names of small files whose text is returned, such as lists of checksums.
    type: list
    elements: str
    default: []
  stage:
    description: Directory on the host in which the files are kept. Only root can read what is in it.
    type: path
    default: /var/lib/rancher/k3s/stage
  http_proxy:
    description: Proxy for http.
    type: str
  https_proxy:
    description: Proxy for https.
    type: str
  no_proxy:
    description: What is reached without a proxy, as names, domains, addresses and networks.
    type: list
    elements: str
    default: []
  ca_certificates:
    description: Certificates of a private CA (PEM) that are trusted beside those of the host.
    type: str
    default: ""
  prefix:
    description: What stands before the names of options in messages, so that the user of a role reads the role's variables.
    type: str
    default: ""
seealso:
  - module: gpuops.kubernetes.gpu_kube_node
"""

EXAMPLES = r"""
- name: Read the list of checksums
  gpuops.kubernetes.gpu_artifacts:
    artifact_url: https://mirror.example.com/k3s/v1.35.6%2Bk3s1
    texts: [sha256sum-amd64.txt]
  register: release

- name: Fetch the program
  gpuops.kubernetes.gpu_artifacts:
    artifact_url: https://mirror.example.com/k3s/v1.35.6%2Bk3s1
    files:
      k3s: 0f4c6e1d1c2a6a6f8c9d6d5b3a2f1e0d9c8b7a6958473625140f3e2d1c0b9a88
    https_proxy: "{{ proxy_with_a_password }}"
"""

RETURN = r"""
actions:
  description: What was fetched, or in check mode would be.
  returned: always
  type: list
  elements: str
  sample: [fetch k3s]
texts:
  description: The texts that were asked for, by file name. One that the mirror does not have (status 403 or 404) is empty.
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply import artifacts
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.module import run


def argument_spec():
    return dict(
        artifact_url={"type": "str", "required": True},
        artifact_user={"type": "str", "default": ""},
        artifact_password={"type": "str", "no_log": True},
        files={"type": "dict", "default": {}},
        texts={"type": "list", "elements": "str", "default": []},
        stage={"type": "path", "default": "/var/lib/rancher/k3s/stage"},
        http_proxy={"type": "str", "no_log": True},
        https_proxy={"type": "str", "no_log": True},
        no_proxy={"type": "list", "elements": "str", "default": []},
        ca_certificates={"type": "str", "default": ""},
        prefix={"type": "str", "default": ""},
    )


def execute(module):
    return artifacts.provide(module.params, module.check_mode)


def main():
    run(AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True), execute)


if __name__ == "__main__":
    main()
