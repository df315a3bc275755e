# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of one host: what is written, and when and why its service restarts."""

from __future__ import annotations

import pytest
from ansible_collections.gpuops.kubernetes.plugins.module_utils.catalog.kube_distributions import K3S
from ansible_collections.gpuops.kubernetes.plugins.module_utils.decide import kube_node, kube_text
from ansible_collections.gpuops.kubernetes.plugins.module_utils.observe.kube_node import Current, File, Service

OLD, NEW = "v1.35.5+k3s1", "v1.35.6+k3s1"
SUMS = {OLD: "a" * 64, NEW: "b" * 64}
ENVIRONMENT = "HTTP_PROXY=http://user:pw@proxy:3128\n"


def desired(**changes):
    values = {"distribution": K3S, "node_type": "server", "version": NEW, "checksum": SUMS[NEW], "config": "disable: [traefik]\n", "token": "x" * 32}
    return kube_node.Desired(**dict(values, **changes))


def bare(**changes):
    values = {"host": {}, "files": {}, "binary": "", "service": Service(), "types": [], "images": {}, "other_commands": {}, "joined": False}
    return Current(**dict(values, **changes))


def running(wanted, revision="1", written=1, **changes):
    """Return a host on which everything is as wanted, and whose process was started with a revision."""
    files = {one.path: File("file", one.mode, 0, one.text) for one in kube_node.managed(wanted) if one.text}
    files[wanted.environment_path] = File("file", 0o600, 0, kube_node.environment_text(wanted, written))
    files.update({path: File("link", 0, 0, "k3s") for path in K3S.links.values()})
    service = Service("active", True, 42, 0, False, wanted.version, revision)
    return bare(files=files, binary=wanted.checksum, service=service, types=[wanted.node_type], joined=True, **changes)


def kinds(plan):
    return [step.kind for step in plan.steps]


def test_a_bare_host_gets_everything_and_its_service_starts():
    plan = kube_node.make_plan(bare(), desired(), "")
    assert kinds(plan) == ["write", "install", "write", "write", "write", "link", "link", "link", "reload", "enable", "start"]
    assert plan.causes == ["k3s.service is not running"]
    assert (plan.starts, plan.restarts, plan.needs_binary) == (True, False, True)


def test_the_revision_is_written_before_anything_that_it_speaks_of():
    first = kube_node.make_plan(bare(), desired(), "").steps[0]
    assert (first.kind, first.path, first.mode) == ("write", "/etc/systemd/system/k3s.service.env", 0o600)
    assert first.text.endswith("GPUOPS_REVISION=1\n")


def test_a_host_that_is_as_wanted_is_left_alone():
    plan = kube_node.make_plan(running(desired()), desired(), NEW)
    assert (plan.steps, plan.causes, plan.before, plan.after, plan.problems) == ([], [], {}, {}, [])


@pytest.mark.parametrize(("changes", "cause"), [
    ({"config": "disable: []\n"}, "/etc/rancher/k3s/config.yaml changes"),
    ({"registries": "mirrors: {}\n"}, "/etc/rancher/k3s/registries.yaml changes"),
    ({"secrets": "datastore-endpoint: postgres://u:p@db\n"}, "/etc/rancher/k3s/config.yaml.d/60-gpuops-secrets.yaml changes"),
    ({"environment": ENVIRONMENT}, "the environment of k3s.service changes"),
])
def test_what_the_service_reads_at_its_start_restarts_it_and_says_so(changes, cause):
    plan = kube_node.make_plan(running(desired()), desired(**changes), NEW)
    assert plan.causes == [cause]
    assert kinds(plan)[-1] == "restart" and plan.restarts
    assert "GPUOPS_REVISION=2\n" in plan.steps[0].text


def test_another_token_restarts_a_service_that_has_not_been_let_in_yet():
    waiting = running(desired(node_type="agent"), revision="1")
    waiting = waiting._replace(joined=False, service=waiting.service._replace(active="activating"))
    plan = kube_node.make_plan(waiting, desired(node_type="agent", token="y" * 32), NEW)
    assert plan.causes == ["/etc/rancher/k3s/cluster-token changes"] and plan.restarts
    assert "GPUOPS_REVISION=2\n" in plan.steps[0].text


def test_a_service_that_has_not_started_yet_is_waited_for():
    starting = running(desired())
    starting = starting._replace(service=starting.service._replace(active="activating"))
    plan = kube_node.make_plan(starting, desired(), NEW)
    assert (plan.actions, plan.causes) == (["wait until k3s.service runs and its node is ready"], [])
    assert (plan.waits, plan.changes) == (True, False)


def test_a_node_that_is_not_ready_yet_is_waited_for():
    plan = kube_node.make_plan(running(desired())._replace(late=True), desired(), NEW)
    assert (kinds(plan), plan.causes, plan.changes) == (["wait"], [], False)


def test_a_service_that_restarts_is_waited_for_once():
    changed = desired(config="disable: []\n")
    plan = kube_node.make_plan(running(desired())._replace(late=True), changed, NEW)
    assert kinds(plan)[-1] == "restart" and "wait" not in kinds(plan) and plan.waits


@pytest.mark.parametrize(("joined", "config", "needed"), [
    (True, "server: https://a:6443\n", False),
    (False, "server: https://a:6443\n", True),
    (False, "", False),
])
def test_a_token_that_has_let_nobody_in_is_brought_anew(joined, config, needed):
    wanted = desired(config=config)
    there = running(wanted)._replace(joined=joined)
    assert kube_node.needs_token(there, desired(config=config, token=None)) is needed
    assert kube_node.needs_token(there, wanted) is False


@pytest.mark.parametrize("changes", [
    {"node_config": "node-label: [a=b]\n"},
    {"images": {"k3s-airgap-images-amd64.tar.zst": "c" * 64}},
])
def test_what_counts_at_another_time_restarts_nothing(changes):
    plan = kube_node.make_plan(running(desired()), desired(**changes), NEW)
    assert plan.causes == [] and len(plan.steps) == 1


def test_a_new_program_restarts_the_service():
    plan = kube_node.make_plan(running(desired(version=OLD, checksum=SUMS[OLD])), desired(), OLD)
    assert plan.causes == ["%s becomes %s" % (OLD, NEW)]
    assert kinds(plan) == ["write", "install", "restart"]


def test_a_restart_that_an_ended_run_did_not_get_to_is_made_up_for():
    plan = kube_node.make_plan(running(desired(), revision="1", written=2), desired(), NEW)
    assert kinds(plan) == ["restart"]
    assert plan.causes == ["an earlier run ended before the restart (revision 1 runs, 2 is written)"]


def test_a_run_that_ended_between_two_files_goes_on_with_a_new_revision():
    half = running(desired(), revision="1", written=2)
    plan = kube_node.make_plan(half, desired(config="disable: []\n"), NEW)
    assert "GPUOPS_REVISION=3\n" in plan.steps[0].text and plan.restarts


def test_a_reboot_between_the_files_and_the_restart_needs_no_other_one():
    plan = kube_node.make_plan(running(desired(), revision="2", written=2), desired(), NEW)
    assert plan.steps == []


def test_a_node_of_the_vendors_installer_is_taken_over():
    found = running(desired())
    found.files["/etc/systemd/system/k3s.service.env"] = File("file", 0o600, 0, "K3S_TOKEN='secret-of-old'\n")
    found.files["/etc/systemd/system/k3s.service"] = File("file", 0o644, 0, "[Unit]\nDescription=Lightweight Kubernetes\n")
    plan = kube_node.make_plan(found._replace(service=found.service._replace(revision="")), desired(), NEW)
    assert plan.restarts and "reload" in kinds(plan)
    assert "secret-of-old" not in str(plan.before) + str(plan.after)


def test_a_process_of_another_version_than_the_file_on_disk_is_restarted():
    found = running(desired())
    plan = kube_node.make_plan(found._replace(service=found.service._replace(version=OLD)), desired(), NEW)
    assert plan.causes == ["%s runs, %s is installed" % (OLD, NEW)]


@pytest.mark.parametrize(("found", "wanted", "rule"), [
    ("v1.36.0+k3s1", NEW, "does not support a downgrade"),
    ("v1.33.1+k3s1", NEW, "no minor version may be skipped"),
    ("v1.35.5+rke2r1", NEW, "does not become"),
])
def test_versions_that_cannot_be_changed_to_the_wanted_one_are_refused(found, wanted, rule):
    current = running(desired(version=found, checksum="c" * 64))
    (problem,) = kube_node.make_plan(current, desired(version=wanted), found, "k3s_").problems
    assert problem.path == "k3s_version" and rule in problem.rule and problem.fix


def test_the_running_version_counts_and_not_the_one_on_disk():
    current = running(desired(version="v1.34.1+k3s1", checksum="c" * 64))
    assert kube_node.make_plan(current, desired(), "v1.36.0+k3s1").problems == []


def test_no_secret_is_in_the_diff():
    secret = {"token": "t" * 40, "registries": "configs: {a: {auth: {password: hunter2}}}\n", "environment": ENVIRONMENT}
    secret["secrets"] = "datastore-endpoint: postgres://u:hunter3@db\n"
    plan = kube_node.make_plan(bare(), desired(**secret), "")
    shown = str(plan.before) + str(plan.after) + str(plan.actions)
    assert plan.after["/etc/rancher/k3s/cluster-token"] == "(secret)\n"
    assert [word for word in ("t" * 40, "hunter2", "hunter3", "user:pw") if word in shown] == []
    assert "HTTP_PROXY=http://(secret)@proxy:3128" in shown


def test_every_secret_is_known_that_could_stand_in_a_log():
    wanted = desired(
        token="K10%s::server:token-secret" % ("a" * 64),
        agent_token="agent-secret",
        secrets=kube_text.yaml_text({"datastore-endpoint": "postgres://user:db-secret@db/k3s", "etcd-s3-secret-key": "s3-secret"}),
        registries=kube_text.yaml_text({"configs": {"r.example": {"auth": {"username": "user", "password": "registry-secret"}}}}),
        environment='HTTP_PROXY=http://user:proxy-secret@proxy:3128\nSOME_TOKEN="spaced secret"\n',
    )
    words = ["token-secret", "agent-secret", "db-secret", "s3-secret", "registry-secret", "proxy-secret", "spaced secret"]
    text = " ".join(words) + " user r.example"
    assert kube_text.without(text, kube_node.secrets_of(wanted)) == "*** " * len(words) + "user r.example"


@pytest.mark.parametrize(("line", "shown"), [
    ("token: abc", "token: (secret)"),
    ("token-file: /etc/x", "token-file: /etc/x"),
    ("  agent-token+: [a]", "  agent-token+: (secret)"),
    ("disable: [traefik]", "disable: [traefik]"),
    ("datastore-endpoint: postgres://u:p@db", "datastore-endpoint: (secret)"),
])
def test_lines_of_another_hand_are_shown_without_secrets(line, shown):
    assert kube_node.mask(line + "\n") == shown + "\n"


def test_only_files_of_ours_are_removed():
    path = K3S.registries
    ours = File("file", 0o600, 0, kube_node.OURS + ": changes made here are overwritten.\nmirrors: {}\n")
    for file, expected in ((ours, ["remove"]), (File("file", 0o600, 0, "mirrors: {}\n"), [])):
        found = running(desired())
        found.files[path] = file
        plan = kube_node.make_plan(found, desired(), NEW)
        assert [step.kind for step in plan.steps if step.path == path] == expected


def test_a_wrong_mode_is_mended_without_a_restart():
    found = running(desired())
    found.files[K3S.config] = found.files[K3S.config]._replace(mode=0o644)
    plan = kube_node.make_plan(found, desired(), NEW)
    assert kinds(plan) == ["write"] and plan.before == {K3S.config: "mode 0644 owner 0\n"}


def test_commands_that_are_there_already_stay():
    plan = kube_node.make_plan(bare(other_commands={"kubectl": "/usr/bin/kubectl"}), desired(), "")
    assert [step.path for step in plan.steps if step.kind == "link"] == ["/usr/local/bin/crictl", "/usr/local/bin/ctr"]


def test_the_unit_says_what_the_one_of_the_vendors_installer_says():
    # Facts of k3s-io/k3s install.sh, create_systemd_service_file().
    lines = kube_node.unit_text(desired(node_type="agent")).splitlines()
    for line in ("Type=notify", "KillMode=process", "Delegate=yes", "LimitNOFILE=1048576", "LimitNPROC=infinity", "LimitCORE=infinity", "TasksMax=infinity",
                 "TimeoutStartSec=0", "Restart=always", "RestartSec=5s", "ExecStartPre=-/sbin/modprobe br_netfilter", "ExecStartPre=-/sbin/modprobe overlay",
                 "EnvironmentFile=-/etc/default/%N", "EnvironmentFile=-/etc/sysconfig/%N", "EnvironmentFile=-/etc/systemd/system/k3s-agent.service.env",
                 "ExecStart=/usr/local/bin/k3s agent", "WantedBy=multi-user.target", "Wants=network-online.target", "After=network-online.target"):
        assert line in lines


@pytest.mark.parametrize(("seconds", "expected"), [(30.0, []), (600.0, ["k3s.service has been starting for 600 s"])])
def test_a_start_that_does_not_come_to_an_end_is_tried_anew(seconds, expected):
    found = running(desired())
    found = found._replace(service=found.service._replace(active="activating", starting=seconds))
    plan = kube_node.make_plan(found, desired(), NEW)
    assert plan.causes == expected and plan.restarts is bool(expected)


def test_a_program_that_is_gone_is_not_called_an_upgrade():
    plan = kube_node.make_plan(running(desired())._replace(binary=""), desired(), "")
    assert plan.causes == ["the program is missing, or is another file than that of %s" % NEW]
