# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Look at the server that a host is to join, as the node itself will do. Standard library only; a server that is not there is no error."""

from __future__ import annotations

import base64
import hashlib
import http.client
import ssl
import typing as t
from urllib.parse import urlsplit

# Seconds until a server that does not answer counts as one that is not there.
PATIENCE = 10.0
# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL.
MISMATCHES = (62, 64)


class Seen(t.NamedTuple):
    """What answers at an address.

    C(failure) is why no connection came about, C(stranger) why what answers is no server. C(mismatch) is whether its certificate is for C(names), and not for
    the address. C(ca_hash) is the SHA-256 of the CA as tokens have it, C(refused) whether the server does not know the credentials.
    """

    failure: str = ""
    stranger: str = ""
    mismatch: bool = False
    names: t.List[str] = []
    ca_hash: str = ""
    refused: bool = False


def look(url: str, program: str, shown: t.Any) -> Seen:
    """Return what answers at a URL. The password is sent only to a server with the right certificate.

    :param shown: the decide.kube_join.Credentials of the host
    """
    try:
        return _look(url, program, shown)
    except ssl.SSLError as problem:
        return Seen(stranger="TLS fails (%s)" % (getattr(problem, "verify_message", "") or problem.reason or problem))
    except http.client.HTTPException as problem:
        return Seen(stranger="it does not speak HTTP (%s)" % type(problem).__name__)
    except OSError as problem:
        return Seen(failure=problem.strerror or str(problem))


def _look(url: str, program: str, shown: t.Any) -> Seen:
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    status, bundle = _get(url, unchecked, "/cacerts")
    if status != 200 or "-----BEGIN CERTIFICATE-----" not in bundle:
        return Seen(stranger="it has no CA certificates under /cacerts (status %d)" % status)
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=bundle)
    # Python 3.13 asks for extensions that the certificates of the distributions do not have.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    seen = Seen(ca_hash=hash_of(bundle))
    try:
        _get(url, context, "/ping")
    except ssl.SSLCertVerificationError as problem:
        if problem.verify_code not in MISMATCHES:
            raise
        context.check_hostname = False
        return seen._replace(mismatch=True, names=_names(url, context))
    if not shown.password or shown.ca_hash not in ("", seen.ca_hash):
        return seen
    return seen._replace(refused=_get(url, context, "/v1-%s/config" % program, _authorization(shown))[0] == 401)


def _connection(url: str, context: ssl.SSLContext) -> http.client.HTTPSConnection:
    place = urlsplit(url)
    return http.client.HTTPSConnection(place.hostname or "", place.port or 443, timeout=PATIENCE, context=context)


def _get(url: str, context: ssl.SSLContext, path: str, headers: t.Optional[t.Dict[str, str]] = None) -> t.Tuple[int, str]:
    connection = _connection(url, context)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def _names(url: str, context: ssl.SSLContext) -> t.List[str]:
    """Return the names and addresses that the certificate is for."""
    connection = _connection(url, context)
    try:
        connection.connect()
        return [str(value) for unused, value in connection.sock.getpeercert().get("subjectAltName", ())]
    finally:
        connection.close()


def _authorization(shown: t.Any) -> t.Dict[str, str]:
    if not shown.user:
        return {"Authorization": "Bearer " + shown.password}
    return {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (shown.user, shown.password)).encode("utf-8")).decode("ascii")}


def hash_of(bundle: str) -> str:
    """Return the SHA-256 by which tokens name a CA: of the text of a single certificate, of the root of a chain (hashCA in pkg/clientaccess/token.go).

    Empty where it is not clear which one is the root.
    """
    if bundle.count("-----BEGIN CERTIFICATE-----") == 1:
        return hashlib.sha256(bundle.encode("utf-8")).hexdigest()
    chain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    chain.load_verify_locations(cadata=bundle)
    roots = [data for told, data in zip(chain.get_ca_certs(), chain.get_ca_certs(binary_form=True)) if told.get("issuer") == told.get("subject")]
    return hashlib.sha256(roots[0]).hexdigest() if len(roots) == 1 else ""
