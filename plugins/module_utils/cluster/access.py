# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Ask the API server beforehand whether it would let us do what a plan needs."""

from __future__ import annotations

import concurrent.futures
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.connection import Connection
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Access(t.NamedTuple):
    """One right: C(namespace) is empty for objects of the whole cluster; C(resource) may name a part of an object, as in C(pods/log)."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""

    def text(self) -> str:
        where = "in namespace %s" % self.namespace if self.namespace else "in the whole cluster"
        return "%s %s %s" % (self.verb, "%s.%s" % (self.resource, self.group) if self.group else self.resource, where)


def missing_access(connection: Connection, wanted: t.Sequence[Access]) -> t.List[Problem]:
    """Return a refusal for each right that the current user lacks (SelfSubjectAccessReview)."""

    def allowed(access: Access) -> bool:
        resource, _slash, part = access.resource.partition("/")
        attributes = {"verb": access.verb, "group": access.group, "resource": resource, "subresource": part, "namespace": access.namespace}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
        return bool(connection.request("POST", REVIEWS, body=review)["status"].get("allowed"))

    if not wanted:
        return []
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(8, len(wanted))) as pool:
        verdicts = list(pool.map(allowed, wanted))
    return [
        Problem(
            "kubeconfig",
            connection.name,
            "the user of this context may not %s, which the plan needs" % access.text(),
            "give the user a role that allows it, or use another context",
        )
        for access, verdict in zip(wanted, verdicts)
        if not verdict
    ]
