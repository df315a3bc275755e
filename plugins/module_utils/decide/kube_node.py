# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""One host as a node of a cluster: what has to be written, whether its service restarts, and why. No I/O.

The environment of the unit carries a revision. It is raised before anything that the service reads at its start is written, and the service is restarted
when its process was started with another one. So a restart has a cause, and a run that was ended in between is made up for by the next.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_distributions import UNIT_DIRECTORY, Distribution
from ansible_collections.gpuops.kubernetes.plugins.module_utils.common.errors import Problem
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_join, kube_tokens, kube_versions

REVISION = "GPUOPS_REVISION"
OURS = "# Managed by gpuops.kubernetes"
SECRET = "(secret)"
# Seconds after which a start that does not come to an end is tried anew.
PATIENCE = 120.0
OTHER_SECRET = "(another secret)"

UNIT = """\
{ours}: changes made here are overwritten.
[Unit]
Description=Lightweight Kubernetes
Documentation={documentation}
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=notify
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-{environment}
KillMode=process
Delegate=yes
User=root
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart={binary} {command}
"""


class Desired(t.NamedTuple):
    """What the options ask for.

    C(token) is None where the one that is there is kept. C(secrets), C(registries) and C(node_config) are texts, empty for no file.
    C(environment) is the text of the unit's environment without the revision. C(images) are checksums by file name.
    """

    distribution: Distribution
    node_type: str
    version: str
    checksum: str
    config: str
    node_config: str = ""
    secrets: str = ""
    registries: str = ""
    token: t.Optional[str] = None
    agent_token: str = ""
    environment: str = ""
    images: t.Dict[str, str] = {}

    @property
    def unit(self) -> str:
        return self.distribution.units[self.node_type]

    @property
    def unit_path(self) -> str:
        return "%s/%s" % (UNIT_DIRECTORY, self.unit)

    @property
    def environment_path(self) -> str:
        return self.unit_path + ".env"

    @property
    def secrets_path(self) -> str:
        return self.distribution.config + ".d/60-gpuops-secrets.yaml"


class Step(t.NamedTuple):
    """One thing to do: C(kind) is write, remove, link, install, image, reload, enable, start, restart or wait."""

    kind: str
    path: str = ""
    text: str = ""
    mode: int = 0


class Plan(t.NamedTuple):
    """What has to be done; C(causes) say why the service (re)starts, C(before) and C(after) are the diff by path."""

    steps: t.List[Step]
    causes: t.List[str]
    actions: t.List[str]
    before: t.Dict[str, str]
    after: t.Dict[str, str]
    problems: t.List[Problem]

    @property
    def needs_binary(self) -> bool:
        return any(step.kind == "install" for step in self.steps)

    @property
    def needs_images(self) -> t.List[str]:
        return [step.path for step in self.steps if step.kind == "image"]

    @property
    def restarts(self) -> bool:
        return any(step.kind == "restart" for step in self.steps)

    @property
    def starts(self) -> bool:
        return any(step.kind == "start" for step in self.steps)

    @property
    def waits(self) -> bool:
        return any(step.kind in ("start", "restart", "wait") for step in self.steps)

    @property
    def changes(self) -> bool:
        return any(step.kind != "wait" for step in self.steps)


class Managed(t.NamedTuple):
    """One managed file: its wanted text (None: leave it alone), and whether the service reads it at its start."""

    path: str
    text: t.Optional[str]
    mode: int
    restarts: bool
    secret: bool = False


def managed(desired: Desired) -> t.List[Managed]:
    """Return the files that the node is made of, the environment of the unit left out."""
    distribution = desired.distribution
    return [
        Managed(distribution.token, None if desired.token is None else desired.token + "\n", 0o600, False, True),
        Managed(distribution.agent_token, desired.agent_token and desired.agent_token + "\n", 0o600, True, True),
        Managed(distribution.config, desired.config, 0o600, True),
        Managed(distribution.node_config, desired.node_config, 0o600, False),
        Managed(desired.secrets_path, desired.secrets, 0o600, True, True),
        Managed(distribution.registries, desired.registries, 0o600, True, True),
        Managed(desired.unit_path, unit_text(desired), 0o644, True),
    ]


def unit_text(desired: Desired) -> str:
    """Return the unit; it says the same as the one that the vendor's installer writes."""
    return UNIT.format(
        ours=OURS,
        documentation=desired.distribution.documentation,
        environment=desired.environment_path,
        binary=desired.distribution.binary,
        command=desired.distribution.commands[desired.node_type],
    )


def make_plan(current: t.Any, desired: Desired, installed: str, prefix: str = "") -> Plan:
    """Return what makes a host what is desired.

    :param current: what M(observe.kube_node.read_current) returns
    :param installed: version of the program on disk, empty when there is none
    """
    files = [one for one in managed(desired) if differs(current.files.get(one.path), one)]
    renewed = current.binary != desired.checksum
    noted = revision_of(current.files.get(desired.environment_path))
    # A process that was not let in goes on trying with the token that it has read.
    unread = desired.distribution.token if not current.joined else ""
    changed = [one for one in files if (one.restarts or one.path == unread) and text_differs(current.files.get(one.path), one.text)]
    environment = current.files.get(desired.environment_path)
    other_environment = body_of(environment) != desired.environment
    fresh = not noted or renewed or bool(changed) or other_environment
    wanted = environment_text(desired, (noted or 0) + 1 if fresh else noted or 1)

    steps: t.List[Step] = []
    environment_file = Managed(desired.environment_path, wanted, 0o600, True, True)
    if differs(environment, environment_file):
        steps.append(Step("write", desired.environment_path, wanted, 0o600))
    if renewed:
        steps.append(Step("install", desired.distribution.binary, desired.checksum, 0o755))
    steps += [step_for(one) for one in files]
    if lacks_token(current, desired):
        # Whose text is not known yet: that of a cluster that has yet to start.
        steps.insert(len(steps) - len(files), Step("write", desired.distribution.token, "", 0o600))
    steps += [Step("image", name, total) for name, total in sorted(desired.images.items()) if current.images.get(name) != total]
    steps += link_steps(current, desired)
    unit_changed = any(step.path == desired.unit_path for step in steps)
    if unit_changed or current.service.stale:
        steps.append(Step("reload"))
    if not current.service.enabled:
        steps.append(Step("enable", desired.unit))
    causes = restart_causes(current, desired, changed, renewed, other_environment, noted, installed)
    if causes:
        steps.append(Step("start" if current.service.active in ("inactive", "failed") else "restart", desired.unit))
    elif current.service.active != "active" or current.late:
        steps.append(Step("wait", desired.unit))
    before, after = differences(current, desired, files, renewed, installed)
    if lacks_token(current, desired):
        before[desired.distribution.token], after[desired.distribution.token] = "", SECRET + "\n"
    if other_environment:
        before[desired.environment_path], after[desired.environment_path] = shown_environment(body_of(environment)), shown_environment(desired.environment)
    return Plan(steps, causes, [sentence(step, desired, installed) for step in steps], before, after, version_problems(current, desired, installed, prefix))


def lacks_token(current: t.Any, desired: Desired) -> bool:
    """Return whether a host has no token, and is given none."""
    file = current.files.get(desired.distribution.token)
    return desired.token is None and not (file and file.text.strip())


def needs_token(current: t.Any, desired: Desired) -> bool:
    """Return whether a token has to be brought: also where there is one that has let the host join nobody yet."""
    return lacks_token(current, desired) or (desired.token is None and not current.joined and bool(kube_join.server(desired.config)))


def restart_causes(
    current: t.Any, desired: Desired, changed: t.List[Managed], renewed: bool, other_environment: bool, noted: t.Optional[int], installed: str
) -> t.List[str]:
    """Return why the service has to be started or restarted, an empty list when it does not."""
    if current.service.active in ("inactive", "failed"):
        return ["%s is not running" % desired.unit]
    causes = []
    found = current.service.version or installed
    if renewed and found == desired.version:
        causes.append("the program is missing, or is another file than that of %s" % desired.version)
    elif renewed:
        causes.append("%s becomes %s" % (found or "the program", desired.version))
    causes += ["%s changes" % one.path for one in changed]
    if other_environment:
        causes.append("the environment of %s changes" % desired.unit)
    if causes:
        return causes
    if noted is None:
        return ["%s was made by another installer" % desired.unit]
    if current.service.revision != str(noted):
        return ["an earlier run ended before the restart (revision %s runs, %d is written)" % (current.service.revision or "none", noted)]
    if current.service.version and current.service.version != desired.version:
        return ["%s runs, %s is installed" % (current.service.version, desired.version)]
    if current.service.starting > PATIENCE:
        # What kept it may be gone, and it read its configuration when it began.
        return ["%s has been starting for %d s" % (desired.unit, current.service.starting)]
    return []


def version_problems(current: t.Any, desired: Desired, installed: str, prefix: str) -> t.List[Problem]:
    """Return why the version cannot be changed to the one that is wanted."""
    found = current.service.version or installed
    change = kube_versions.change(found, desired.version)
    if change.kind != "refuse":
        return []
    return [Problem(prefix + "version", desired.version, change.text, change.fix)]


def environment_text(desired: Desired, revision: int) -> str:
    """Return the environment of the unit."""
    return "%s: changes made here are overwritten.\n%s%s=%d\n" % (OURS, desired.environment, REVISION, revision)


def revision_of(file: t.Any) -> t.Optional[int]:
    """Return the revision in the unit's environment, None where another installer wrote it or there is none."""
    found = re.search(r"^%s=(\d+)$" % REVISION, file.text if file else "", re.MULTILINE)
    return int(found.group(1)) if found else None


def body_of(file: t.Any) -> str:
    """Return the unit's environment without our own lines."""
    lines = (file.text if file else "").splitlines(True)
    return "".join(line for line in lines if not line.startswith((OURS, REVISION + "=")))


def differs(file: t.Any, wanted: Managed) -> bool:
    """Return whether a file has to be written or removed."""
    if wanted.text is None:
        return False
    if not wanted.text:
        return text_differs(file, wanted.text)
    return text_differs(file, wanted.text) or file.mode != wanted.mode or file.owner != 0


def text_differs(file: t.Any, wanted: t.Optional[str]) -> bool:
    """Return whether the content is another one. Of files that are to go, only ours do."""
    if wanted is None:
        return False
    there = bool(file and file.kind)
    if not wanted:
        return there and file.text.startswith(OURS)
    return not there or file.kind != "file" or file.text != wanted


def step_for(one: Managed) -> Step:
    return Step("write", one.path, one.text or "", one.mode) if one.text else Step("remove", one.path)


def link_steps(current: t.Any, desired: Desired) -> t.List[Step]:
    """Return the links that are missing; a command that is there already, from whomever, stays."""
    target = desired.distribution.binary.rpartition("/")[2]
    missing = [
        path
        for name, path in sorted(desired.distribution.links.items())
        if name not in current.other_commands and not (current.files.get(path) and current.files[path].kind)
    ]
    return [Step("link", path, target) for path in missing]


def differences(current: t.Any, desired: Desired, files: t.List[Managed], renewed: bool, installed: str) -> t.Tuple[t.Dict[str, str], t.Dict[str, str]]:
    """Return what is and what will be, by path, without any secret."""
    before: t.Dict[str, str] = {}
    after: t.Dict[str, str] = {}
    if renewed:
        before[desired.distribution.binary] = "%s sha256:%s\n" % (installed or "another file", current.binary) if current.binary else ""
        after[desired.distribution.binary] = "%s sha256:%s\n" % (desired.version, desired.checksum)
    for one in files:
        file = current.files.get(one.path)
        there = bool(file and file.kind)
        if one.secret:
            before[one.path] = SECRET + "\n" if there else ""
            after[one.path] = (OTHER_SECRET if there else SECRET) + "\n" if one.text else ""
        elif text_differs(file, one.text):
            before[one.path], after[one.path] = mask(file.text) if there else "", one.text or ""
        else:
            before[one.path], after[one.path] = "mode %04o owner %d\n" % (file.mode, file.owner), "mode %04o owner 0\n" % one.mode
    return before, after


SECRET_KEY = re.compile(r"^(\s*-?\s*[\w-]*(?:token|password|secret|auth|datastore-endpoint)[\w-]*\+?\s*:).*$", re.IGNORECASE)


def mask(text: str) -> str:
    """Return a text of somebody else's hand without the values of keys that sound secret."""
    lines = [line if re.match(r"\s*[\w-]+-file\s*:", line) else SECRET_KEY.sub(r"\1 " + SECRET, line) for line in text.splitlines()]
    return "".join(line + "\n" for line in lines)


def secrets_of(desired: Desired) -> t.List[str]:
    """Return every secret that the service is given, to be looked for in what it logs."""
    found = [kube_tokens.password(token) for token in (desired.token, desired.agent_token) if token]
    found += re.findall(r': "((?:[^"\\]|\\.)+)"$', desired.secrets, re.MULTILINE)
    found += re.findall(r'(?:auth|password|token)"?: "((?:[^"\\]|\\.)+)"$', desired.registries, re.MULTILINE)
    found += re.findall(r"://[^/@\s]*:([^/@\s]+)@", desired.secrets + desired.environment)
    return found + re.findall(r'^\w*(?:TOKEN|SECRET|PASSWORD)\w*="?(.+?)"?$', desired.environment, re.MULTILINE)


def shown_environment(text: str) -> str:
    """Return an environment with the passwords in its URLs and the values of its secrets left out."""
    lines = []
    for line in text.splitlines():
        name, unused, value = line.partition("=")
        secret = re.search(r"TOKEN|SECRET|PASSWORD|DATASTORE", name)
        lines.append("%s=%s\n" % (name, SECRET if secret else re.sub(r"://[^/@\s]*@", "://%s@" % SECRET, value)))
    return "".join(lines)


def sentence(step: Step, desired: Desired, installed: str) -> str:
    """Return a step as a short sentence."""
    if step.kind == "install":
        return "install %s %s%s" % (desired.distribution.name, desired.version, " over %s" % installed if installed else "")
    if step.kind == "link":
        return "link %s to %s" % (step.path, step.text)
    if step.kind == "image":
        return "place the image archive %s" % step.path
    if step.kind == "reload":
        return "have systemd read the units again"
    if step.kind == "wait":
        return "wait until %s runs and its node is ready" % step.path
    return "%s %s" % (step.kind, step.path)
