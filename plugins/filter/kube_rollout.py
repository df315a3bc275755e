# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

try:
    import yaml
except ImportError:  # ansible-core cannot run without it, but ansible-test imports plugins without anything
    yaml = None

from ansible.errors import AnsibleFilterError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_rollout, kube_tokens


def cluster_kubeconfig(text: str, server: str, name: str) -> str:
    """Return a server's kubeconfig for use elsewhere, as text."""
    try:
        # Ansible's tagged texts are subclasses, which YAML does not write.
        made = kube_rollout.kubeconfig(yaml.safe_load(str(text)), str(server), str(name))
    except yaml.YAMLError:
        # Its cause would show a part of the file, which holds a key.
        raise AnsibleFilterError("cluster_kubeconfig: this is no YAML, and so no kubeconfig") from None
    except GpuOpsError as error:
        raise AnsibleFilterError(error.message) from None
    return yaml.safe_dump(made, sort_keys=False)


def short_token(token: str) -> str:
    """Return the form of a token that the first server needs."""
    try:
        return kube_tokens.for_first_server(token)
    except ValueError as problem:
        raise AnsibleFilterError("short_token: %s" % problem) from None


class FilterModule:
    def filters(self) -> dict:
        return {
            "cluster_kubeconfig": cluster_kubeconfig,
            "node_label_groups": kube_rollout.label_groups,
            "release_checksums": kube_rollout.checksums,
            "rollout_batches": kube_rollout.batches,
            "short_token": short_token,
        }
