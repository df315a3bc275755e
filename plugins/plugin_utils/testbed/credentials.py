# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys, token and kubeconfig of one instance; all of them readable by their owner only."""

from __future__ import annotations

import base64
import secrets

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
except ImportError:  # ansible-core brings it; said when a key is made
    ec = serialization = None

from .errors import TestbedError
from .paths import write_private

_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: {context}
clusters:
  - name: {context}
    cluster:
      server: {server}
      certificate-authority-data: {ca}
contexts:
  - name: {context}
    context:
      cluster: {context}
      user: {context}
users:
  - name: {context}
    user:
      token: {token}
"""
_END = "-----END CERTIFICATE-----"


def create(pki):
    """Write the token and the service account key that an API server starts with."""
    token = secrets.token_hex(24)
    write_private(pki / "token", token)
    write_private(pki / "tokens.csv", '%s,gpuops-testbed,gpuops-testbed,"system:masters"\n' % token)
    write_private(pki / "service-account.key", _key())


def _key():
    if ec is None:
        raise TestbedError("the testbed needs the Python package cryptography; fix: install it (ansible-core requires it as well)")
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def read_token(directory):
    """Return the bearer token of an instance."""
    return (directory / "pki" / "token").read_text(encoding="utf-8").strip()


def write_ca(pki):
    """Write ca.crt from the chain that the API server made for itself: its own certificate, then its CA's."""
    chain = (pki / "apiserver.crt").read_text(encoding="utf-8")
    certificates = [part.strip() + "\n" + _END + "\n" for part in chain.split(_END) if part.strip()]
    if len(certificates) < 2:
        raise TestbedError("%s has no CA certificate in it; fix: end the testbed and start it again" % (pki / "apiserver.crt"))
    return write_private(pki / "ca.crt", certificates[-1])


def write_kubeconfig(directory, context, server):
    """Write the kubeconfig of an instance: one cluster, one user, one context."""
    ca = base64.b64encode((directory / "pki" / "ca.crt").read_bytes()).decode()
    text = _KUBECONFIG.format(context=context, server=server, ca=ca, token=read_token(directory))
    return write_private(directory / "kubeconfig", text)
