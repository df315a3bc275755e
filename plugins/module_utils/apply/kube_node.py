# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Make a host a node: look, plan, write, and wait until the node is ready."""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.apply.host_lock import locked
from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_distributions import DISTRIBUTIONS, Distribution
from ansible_collections.gpuops.kubernetes.plugins.module_utils.cluster.wait import wait_for
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import GpuOpsError, Problem, refuse
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_host, kube_hosts, kube_join, kube_node, kube_status, kube_text
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe import kube_join as observe_join
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe import kube_node as observe

Params = t.Dict[str, t.Any]
# So many new starts of the main process mean that it does not come up by itself.
HOPELESS = 3


def present(params: Params, check_mode: bool) -> dict:
    """Make the host what the options say, and wait until it is a ready node of that version."""
    with locked():
        plan, desired, result = change(params, check_mode)
    if not check_mode:
        result["node"] = {}
    if plan.waits and not check_mode:
        seen = wait_until_ready(desired, params, result["node_name"], params["wait_timeout"])
        result["node"] = described(result["node_name"], seen)
        result["drained"] = kube_status.is_drained(seen["node"], desired.distribution.name)
    return result


def change(params: Params, check_mode: bool) -> t.Tuple[kube_node.Plan, kube_node.Desired, dict]:
    """Make the host what the options say, without waiting for what that leads to; return the plan, what was desired, and the result."""
    distribution = DISTRIBUTIONS[params["distribution"]]
    desired = asked_for(params, distribution)
    current = observe.read_current(distribution, params["node_type"], [one.path for one in kube_node.managed(desired)])
    desired = for_architecture(desired, params, current.host["architecture"])
    name = node_name(params, current.host)
    installed = observe.installed_version(distribution) if current.binary else ""
    has_node = params["wait_for_node"] and current.joined and current.service.active == "active"
    node = observe.read_node(distribution, name) if has_node else None
    current = current._replace(late=has_node and not kube_status.is_ready(node, desired.version))
    plan = kube_node.make_plan(current, desired, installed, params["prefix"])
    problems = kube_host.problems(current, desired, name, params["ignored_checks"], params["prefix"]) + plan.problems
    if not check_mode and kube_node.lacks_token(current, desired):
        problems += kube_host.missing_token(params["prefix"])
    seen, joining = look_ahead(current, desired, params["prefix"])
    if not check_mode and not seen.failure:
        # Where nobody answers yet, the service tries again and again, and the wait below has an end.
        problems += joining
    refuse(problems, "Making this host a node is")
    result = outcome(plan, current, desired, name, installed, problems, params["controller_time"])
    result["drained"] = kube_status.is_drained(node, distribution.name)
    result["carries"] = kube_status.carried(node)
    result["joining"] = [problem._asdict() for problem in joining]
    if not check_mode:
        carry_out(plan, desired, params)
    return plan, desired, result


def ready(params: Params, check_mode: bool) -> dict:
    """Write nothing, only wait until the host is a ready node of the version; in check mode look once."""
    distribution = DISTRIBUTIONS[params["distribution"]]
    desired = asked_for(params, distribution)
    name = node_name(params, observe.read_host(distribution))
    seen = wait_until_ready(desired, params, name, 0.0 if check_mode else params["wait_timeout"])
    return {"changed": False, "actions": [], "node_name": name, "node": described(name, seen)}


def described(name: str, seen: dict) -> dict:
    """Return what the module reports of a node that was waited for."""
    return {"name": name, "version": seen["version"], "active": seen["active"]}


def look_ahead(current: observe.Current, desired: kube_node.Desired, prefix: str) -> t.Tuple[observe_join.Seen, t.List[Problem]]:
    """Return what answers where the host is to join, and what speaks against that; nothing for a host that has joined or joins nobody."""
    url = "" if current.joined else kube_join.server(desired.config)
    if not url:
        return observe_join.Seen(), []
    file = current.files.get(desired.distribution.token)
    shown = kube_join.credentials(desired.token or (file.text.strip() if file else ""), desired.node_type)
    seen = observe_join.look(url, desired.distribution.name, shown)
    return seen, kube_join.problems(seen, url, shown, prefix)


def asked_for(params: Params, distribution: Distribution) -> kube_node.Desired:
    """Return what the options ask for, as far as it does not depend on the host."""
    return kube_node.Desired(
        distribution=distribution,
        node_type=params["node_type"],
        version=params["version"],
        checksum="",
        config=params["config"],
        node_config=params["node_config"],
        secrets=params["secrets"] or "",
        registries=params["registries"] or "",
        token=params["token"] or None,
        agent_token=params["agent_token"] or "",
        environment=params["environment"] or "",
    )


def for_architecture(desired: kube_node.Desired, params: Params, architecture: str) -> kube_node.Desired:
    """Return the desired node with the checksums of what this host can run."""
    total = (params["checksums"] or {}).get(architecture) or {}
    names = desired.distribution.artifacts.get(architecture) or {"binary": "", "images": "-"}
    images = {name: total[name] for name in params["images"] if name.startswith(names["images"]) and name in total}
    return desired._replace(checksum=total.get(names["binary"], ""), images=images)


def node_name(params: Params, host: t.Dict[str, t.Any]) -> str:
    """Return the name of the node, which is that of the host unless another one is given."""
    return params["node_name"] or host["hostname"].lower()


def outcome(
    plan: kube_node.Plan,
    current: observe.Current,
    desired: kube_node.Desired,
    name: str,
    installed: str,
    problems: t.List[t.Any],
    controller_time: t.Optional[float],
) -> dict:
    """Return what the module reports of a plan."""
    paths = sorted(set(plan.before) | set(plan.after))
    clock_offset = current.host["time"] - controller_time if controller_time else None
    return {
        "changed": plan.changes,
        "actions": plan.actions,
        "causes": plan.causes,
        "drain_reason": kube_status.drain_reason(desired.distribution.name, plan.causes),
        "restarts": plan.restarts,
        "starts": plan.starts,
        "needs_binary": plan.needs_binary,
        "needs_images": plan.needs_images,
        "needs_token": kube_node.needs_token(current, desired),
        "checksum": desired.checksum,
        "image_checksums": desired.images,
        "node_name": name,
        "version_installed": installed,
        "version_running": current.service.version,
        "joined": current.joined,
        "types": current.types,
        "host": dict(current.host, clock_offset=clock_offset),
        "support": supported(current.host, desired.distribution),
        "diff": [{"before_header": path, "after_header": path, "before": plan.before.get(path, ""), "after": plan.after.get(path, "")} for path in paths],
        "warnings": [problem.text() for problem in problems if problem.severity == "warn"],
    }


def supported(host: t.Dict[str, t.Any], distribution: Distribution) -> t.Dict[str, t.Any]:
    """Return how the host's operating system keeps what roles have to change."""
    found = kube_hosts.host_support(host, distribution.name)._asdict()
    return {name: value for name, value in found.items() if name != "problems"}


def carry_out(plan: kube_node.Plan, desired: kube_node.Desired, params: Params) -> None:
    """Do the steps of a plan in their order.

    Raises: GpuOpsError when a staged file is not what it should be, or systemd says no.
    """
    # Before the first write, so that a file that was damaged on its way leaves the node as it is.
    for step in plan.steps:
        if step.kind in ("install", "image"):
            check_staged(params["stage"], os.path.basename(step.path), step.text, params["prefix"])
    for step in plan.steps:
        if step.kind == "write":
            write(step.path, step.text, step.mode)
        elif step.kind == "remove":
            os.unlink(step.path)
        elif step.kind == "link":
            os.symlink(step.text, step.path)
        elif step.kind == "install":
            place(os.path.join(params["stage"], step.text), desired.distribution.binary, step.mode)
        elif step.kind == "image":
            place(os.path.join(params["stage"], step.text), os.path.join(desired.distribution.images, step.path), 0o644)
        elif step.kind == "reload":
            systemctl("daemon-reload")
        elif step.kind == "enable":
            systemctl("enable", step.path)
        elif step.kind != "wait":
            # The unit is Type=notify and may take minutes: the wait that follows watches it and can say why it fails.
            systemctl("reset-failed", step.path, may_fail=True)
            systemctl(step.kind, "--no-block", step.path)


def write(path: str, text: str, mode: int) -> None:
    """Write a file in one go, owned by root; its directory is made where it is missing, for root only."""
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=directory, prefix=".gpuops-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, mode)
        os.chown(temporary, 0, 0)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def check_staged(stage: str, name: str, total: str, prefix: str) -> None:
    """Check a file that will be put in place; another one than it should be is removed, so that it is staged anew.

    Raises: GpuOpsError when it is missing or another one.
    """
    source = os.path.join(stage, total)
    found = observe.checksum(source)
    if found != total:
        discard(source)
        rule = "what is staged for it has the SHA-256 %s" % found if found else "nothing is staged for it as %s" % source
        fix = "find out why it is another file where it comes from, and replace it there; nothing was changed" if found else "stage it there"
        raise GpuOpsError(Problem("%schecksums.%s" % (prefix, name), total, rule, fix).text())


def place(source: str, path: str, mode: int) -> None:
    """Move a staged file to its place, at once and owned by root."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    temporary = os.path.join(os.path.dirname(path), ".gpuops-" + os.path.basename(path))
    shutil.move(source, temporary)
    os.chmod(temporary, mode)
    os.chown(temporary, 0, 0)
    os.replace(temporary, path)


def discard(path: str) -> None:
    """Remove a file if it is there."""
    if os.path.exists(path):
        os.unlink(path)


def systemctl(*words: str, may_fail: bool = False) -> None:
    """Run systemctl.

    Raises: GpuOpsError with what it said.
    """
    status, text = observe.output(["systemctl"] + list(words))
    if status and not may_fail:
        raise GpuOpsError("systemctl %s ended with status %d: %s" % (" ".join(words), status, text.strip() or "no output; see journalctl -xe"))


def wait_until_ready(desired: kube_node.Desired, params: Params, name: str, timeout: float) -> dict:
    """Wait until the service runs and its node is Ready in the wanted version; return what was seen last: active, version, and node, its object.

    Raises: GpuOpsError with the last lines of the service's log.
    """
    distribution = desired.distribution
    counted: t.List[int] = []
    # A restart is only asked for: until it happens, what is active and Ready is the process of before.
    revision = kube_node.revision_of(observe.read_file(desired.environment_path))

    def look() -> dict:
        service = observe.read_service(distribution, desired.unit)
        counted.append(service.restarts)
        node = observe.read_node(distribution, name) if service.active == "active" and params["wait_for_node"] else None
        return {"active": service.active, "restarts": service.restarts - counted[0], "version": service.version, "revision": service.revision, "node": node}

    def done(seen: dict) -> bool:
        if seen["active"] != "active" or revision is not None and seen["revision"] != str(revision):
            return False
        return not params["wait_for_node"] or kube_status.is_ready(seen["node"], desired.version)

    def failed(seen: dict) -> t.Optional[str]:
        return log_of(desired, params, seen) if seen["restarts"] >= HOPELESS or seen["active"] == "failed" else None

    met, seen = wait_for(look, done, failed, timeout=timeout, sleep=1.0)
    if not met:
        raise GpuOpsError(log_of(desired, params, seen))
    return seen


def log_of(desired: kube_node.Desired, params: Params, seen: dict) -> str:
    """Return why the service is not what it should be: its state, and what it logged, without its secrets."""
    token = desired.token or observe.text_of(desired.distribution.token).strip()
    text = kube_text.without(observe.read_journal(desired.unit), kube_node.secrets_of(desired._replace(token=token)))
    state = "%s is %s" % (desired.unit, seen["active"])
    if seen["restarts"]:
        state += " after %d new starts" % seen["restarts"]
    elif seen["active"] == "active":
        state += ", but its node is not Ready in version %s" % desired.version
    told = [line for line in text.splitlines() if "level=fatal" in line or "level=error" in line] or text.splitlines()
    return "%s. Fix what it says, and run again; its last lines:\n%s" % (state, "\n".join(told[-10:]))
