# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated GPUs on nodes of test hosts: the testbed's simulator follows a cluster that the roles are just making.

Until the host half installs drivers, nothing else can play GPUs on hosts that have none.
"""

from __future__ import annotations

import base64
import json
import secrets
import tempfile
import threading
import time
import typing as t
from pathlib import Path

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import client, nodes
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.simulator import engine, hardware, settings
from kubernetes import client as kubernetes
from kubernetes import config

_NAMESPACE = "kube-system"
_NAME = "gpuops-testbed"


class Simulated(threading.Thread):
    """Waits for a cluster, gives its nodes GPUs, and plays their components until stop() is called.

    :param models: number and model of the GPUs by node name, such as {"gpu-1": (2, "T4")}
    """

    def __init__(self, kubeconfig: Path, models: t.Mapping[str, t.Tuple[int, str]], delay: t.Tuple[float, float] = (1.0, 2.0)) -> None:
        super().__init__(daemon=True)
        self._kubeconfig, self._models, self._delay = kubeconfig, dict(models), delay
        self._ended = threading.Event()
        self._engine: t.Any = None
        self.failure: t.Optional[BaseException] = None

    def run(self) -> None:
        """Do it; what goes wrong is kept in failure, for whoever started this."""
        try:
            api = self._await_cluster()
            if api is not None:
                self._play(api)
        except Exception as error:  # a thread has nobody to raise to
            self.failure = error

    def stop(self) -> None:
        """End, and wait for the end."""
        self._ended.set()
        if self._engine is not None:
            self._engine.stop()
        self.join()

    def _await_cluster(self) -> t.Any:
        """Return a client once the kubeconfig is there and the cluster has all nodes; None when it is time to end."""
        while not self._ended.wait(0.2):
            if not self._kubeconfig.exists():
                continue
            api = config.new_client_from_config(str(self._kubeconfig))
            if set(self._models) <= {node.metadata.name for node in kubernetes.CoreV1Api(api).list_node().items}:
                return api
        return None

    def _play(self, api: t.Any) -> None:
        core, instance = kubernetes.CoreV1Api(api), secrets.token_hex(8)
        for name, (number, model) in self._models.items():
            annotation = json.dumps(hardware.describe(model, number), sort_keys=True)
            core.patch_node(name, {"metadata": {"annotations": {nodes.HARDWARE: annotation}}})
        core.create_namespaced_config_map(_NAMESPACE, {"metadata": {"name": _NAME}, "data": {"instance": instance}})
        with tempfile.TemporaryDirectory() as scratch:
            ca_file = Path(scratch) / "ca.crt"
            ca_file.write_bytes(Path(api.configuration.ssl_ca_cert).read_bytes())
            token = _token(api, core)
            known = settings.Settings(Path(scratch), api.configuration.host, token, ca_file, instance, self._delay)
            self._engine = engine.Engine(known, lambda text: None, client.Client(known.server, token, ca_file))
            if not self._ended.is_set():
                self._engine.run()


def _token(api: t.Any, core: t.Any) -> str:
    """Return a token of an administrator: the simulator sends a token, and a kubeconfig of k3s has a certificate."""
    subject = {"kind": "ServiceAccount", "name": _NAME, "namespace": _NAMESPACE}
    core.create_namespaced_service_account(_NAMESPACE, {"metadata": {"name": _NAME}})
    binding = {"metadata": {"name": _NAME}, "subjects": [subject]}
    binding["roleRef"] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    kubernetes.RbacAuthorizationV1Api(api).create_cluster_role_binding(binding)
    annotations = {"kubernetes.io/service-account.name": _NAME}
    core.create_namespaced_secret(_NAMESPACE, {"metadata": {"name": _NAME, "annotations": annotations}, "type": "kubernetes.io/service-account-token"})
    while True:
        data = core.read_namespaced_secret(_NAME, _NAMESPACE).data or {}
        if "token" in data:
            return base64.b64decode(data["token"]).decode()
        time.sleep(0.1)
