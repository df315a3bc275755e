# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret in any output of a run with -vvv and --diff, in logs, in lists of processes, in files that others can read, or in the API."""

from __future__ import annotations

import base64
import urllib.parse

import pytest
import yaml

from tests.k3s.hosts import AGENT, SERVER, lacking

TOKEN, AGENT_TOKEN, REGISTRY, PROXY, VALUE = ("given-%s-4c1f6a0b9d" % name for name in ("token", "agent-token", "registry", "proxy", "value"))
GIVEN = (TOKEN, AGENT_TOKEN, REGISTRY, PROXY, VALUE)
LOUD = ("-vvv", "--diff")
# Looks at all processes of the host again and again, and keeps the lines that hold a secret. The secrets come by a file, so that it does not find itself.
WATCH = """
cd /run/watch && touch found && cat > watch.py <<'END'
import glob, time
secrets = open("secrets").read().split()
while True:
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            line = " ".join(open(path, errors="replace").read().replace("\\0", " ").split())
        except OSError:
            continue
        if any(secret in line for secret in secrets):
            with open("found", "a") as found:
                found.write(line + "\\n")
    time.sleep(0.02)
END
systemd-run --quiet --unit watch --working-directory /run/watch python3 watch.py
until grep -q bait- found; do sh -c 'sleep 0.2; : bait-4c1f6a0b9d'; done
"""
# Lines of logs and lists, and names of files that others can read; /run/watch is for root alone.
LOOK = """
cd /run/watch
grep -v bait- found
journalctl --no-pager -o cat | grep -F -f secrets
systemctl show 'k3s*' | grep -F -f secrets
find /etc /home /opt /root /run /srv /tmp /usr/local /var -xdev -path /run/watch -prune -o -type f -perm /o+r -size -9000k -exec grep -l -F -f secrets {} +
k3s kubectl get nodes,configmaps -A -o yaml 2>&1 | grep -F -f secrets
true
"""


def forms(secret):
    """Return a secret as it may show: as it is, in URLs, and within a text in base64."""
    found = {secret, urllib.parse.quote(secret, safe="")}
    for shift in range(3):
        # What of it does not depend on the text around it.
        encoded = base64.b64encode(b"x" * shift + secret.encode()).decode()
        found.add(encoded[4 if shift else 0:].rstrip("=")[:-1])
    return found


def shown(output, secrets):
    """Return the lines that hold a secret."""
    words = {form for secret in secrets for form in forms(secret)}
    return [line[:400] for line in output.splitlines() if any(word in line for word in words)]


def look_for(hosts, secrets):
    """Tell both hosts what to look for, with something that is to be found in the list of processes."""
    for name in (SERVER, AGENT):
        hosts.run(name, "mkdir -p -m 700 /run/watch && touch /run/watch/found && cat > /run/watch/secrets",
                  input="".join(secret + "\n" for secret in (*secrets, "bait-4c1f6a0b9d")))


def found(hosts):
    """Return where they have found any of it."""
    there = {name: hosts.run(name, LOOK) for name in (SERVER, AGENT)}
    return {name: lines for name, lines in there.items() if lines}


@pytest.fixture(scope="module")
def given(k3s_hosts):
    """Return the variables of a cluster in which everything that can be secret is."""
    return {
        "k3s_artifact_url": k3s_hosts.mirror.url,
        "gpu_http_proxy": k3s_hosts.mirror.through("user", PROXY),
        "k3s_no_proxy": ["192.0.2.0/24"],
        "k3s_token": TOKEN,
        "k3s_agent_token": AGENT_TOKEN,
        "k3s_registries": {"configs": {"registry.example.com": {"auth": {"username": "user", "password": REGISTRY}}}},
        "k3s_environment": {"OUR_PASSWORD": VALUE},
        "k3s_kubeconfig_users": ["root"],
    }


def test_a_cluster_with_given_secrets_shows_none(k3s_hosts, given):
    look_for(k3s_hosts, GIVEN)
    for name in (SERVER, AGENT):
        k3s_hosts.run(name, WATCH)
    status, output, _changed = k3s_hosts.play([SERVER], [AGENT], *LOUD, **given)
    assert status == 0, output
    assert k3s_hosts.nodes() == {SERVER: "True", AGENT: "True"}
    assert shown(output, GIVEN + (key_of(k3s_hosts),)) == []
    assert found(k3s_hosts) == {}
    # The password has reached the proxy, so it was there to be shown.
    assert set(k3s_hosts.mirror.proxied) == {"Basic " + base64.b64encode(("user:%s" % PROXY).encode()).decode()}
    changed = dict(given, k3s_registries={"configs": {"registry.example.com": {"auth": {"username": "user", "password": REGISTRY + "-2"}}}})
    status, output, _changed = k3s_hosts.play([SERVER], [AGENT], *LOUD, "--check", **changed)
    assert status == 0 and "registries.yaml changes" in output, output
    assert shown(output, GIVEN) == []


def key_of(hosts):
    """Return the administrator's private key, a piece of it that is on one line."""
    text = yaml.safe_load(hosts.kubeconfig.read_text(encoding="utf-8"))["users"][0]["user"]["client-key-data"]
    return base64.b64decode(text).decode().splitlines()[1]


@pytest.mark.parametrize(("variables", "words"), [
    ({"k3s_config_host": {"token": VALUE, "datastore-endpoint": "postgres://user:%s@db/k3s" % VALUE, "vpn-auth": "name=x,joinKey=%s" % VALUE}},
     ["k3s_config_host.token: '***'"]),
    ({"k3s_config_cluster": {"tokn": VALUE}, "k3s_token": TOKEN + " "}, ["k3s_config_cluster.tokn", "k3s_token: '*** ", "no white space"]),
    ({"k3s_registries": {"config": {"registry.example.com": {"auth": {"password": REGISTRY}}}}}, ["k3s_registries.config"]),
    ({"k3s_http_proxy": "proxy://user:%s@example.com" % PROXY, "k3s_environment": {"K3S_TOKEN": VALUE}},
     ["k3s_http_proxy: 'proxy://***@example.com'", "K3S_TOKEN: '***'"]),
    ({"k3s_node_type": "neither"}, ["value of k3s_node_type must be one of: server, agent"]),
], ids=["the configuration of a host", "a token", "registries", "proxy and environment", "an argument"])
def test_a_refusal_shows_no_secret(k3s_hosts, given, variables, words):
    status, output, changed = k3s_hosts.play([SERVER], [AGENT], *LOUD, **dict(given, **variables))
    assert (status, changed) == (2, 0), output
    assert lacking(output, *words) == [], output
    assert shown(output, GIVEN) == []


def test_a_token_that_the_cluster_has_not_joined_with_is_refused_unseen(k3s_hosts, given):
    another = "another-one-4c1f6a0b9d"
    status, output, changed = k3s_hosts.play([SERVER], [AGENT], *LOUD, **dict(given, k3s_token=another))
    assert (status, changed) == (2, 0) and "k3s_token: '***': another one than this host has joined with" in output, output
    assert shown(output, GIVEN + (another,)) == []


def test_a_service_that_does_not_start_says_why_and_shows_no_secret(k3s_hosts, given):
    status, output, _changed = k3s_hosts.play([SERVER], [AGENT], *LOUD, **dict(given, k3s_default_runtime="nvidia"))
    assert status == 2 and lacking(output, "k3s.service is ", "Fix what it says, and run again; its last lines", "default runtime", "nvidia") == [], output
    assert shown(output, GIVEN) == []
    status, output, _changed = k3s_hosts.play([SERVER], [AGENT], **given)
    assert status == 0, output
    assert k3s_hosts.nodes() == {SERVER: "True", AGENT: "True"}


def test_a_cluster_with_a_token_of_its_own_does_not_show_it(k3s_hosts):
    k3s_hosts.renew(SERVER, AGENT)
    status, output, _changed = k3s_hosts.play([SERVER], [AGENT], *LOUD)
    assert status == 0, output
    token = k3s_hosts.run(SERVER, "cat /etc/rancher/k3s/cluster-token").strip()
    assert k3s_hosts.run(AGENT, "cat /etc/rancher/k3s/cluster-token").strip().endswith(":" + token) and len(token) == 64
    assert shown(output, (token, key_of(k3s_hosts))) == []
    look_for(k3s_hosts, (token,))
    assert found(k3s_hosts) == {}
