# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in charts against the real charts' values and refusals, rendered by helm."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed.binaries import Finder

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "roles" / "rehearsal" / "files" / "charts" / "nvidia-device-plugin"
NFD = CHART / "charts" / "node-feature-discovery"
UPSTREAM = Path(os.environ.get("GPUOPS_UPSTREAM_DIR", ROOT.parent / "shared" / "upstream"))


def documents(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name, chart", [("nvidia-device-plugin", CHART), ("node-feature-discovery", NFD)])
def test_values_and_version_are_the_real_charts(name, chart):
    real = UPSTREAM / name
    if not real.exists():
        pytest.skip("no upstream data at %s; set GPUOPS_UPSTREAM_DIR" % real)
    assert documents(chart / "values.yaml") == documents(real / "values.yaml")
    ours, theirs = documents(chart / "Chart.yaml"), documents(real / "Chart.yaml")
    assert (ours["name"], ours["appVersion"]) == (theirs["name"], theirs["appVersion"])
    # NFD's chart in git has another version than its releases; the plugin's dependency names the release.
    assert name != "nvidia-device-plugin" or ours["version"] == theirs["version"]
    subcharts = [{key: value for key, value in each.items() if key != "repository"} for each in theirs.get("dependencies", [])]
    assert ours.get("dependencies", []) == subcharts


def test_the_subchart_has_the_version_that_the_chart_asks_for():
    assert documents(NFD / "Chart.yaml")["version"] == documents(CHART / "Chart.yaml")["dependencies"][0]["version"]


@pytest.fixture(scope="session")
def helm():
    """Return helm(*arguments), which runs helm template and returns (objects by kind and name, its errors)."""
    program = Finder(print).get(("helm",))["helm"].path

    def run(*arguments, namespace="nvidia-device-plugin"):
        command = [program, "template", "nvdp", str(CHART), "--namespace", namespace, "--kube-version", "1.36.3", "--include-crds"]
        done = subprocess.run(command + list(arguments), capture_output=True, text=True, check=False)
        objects = [each for each in yaml.safe_load_all(done.stdout) if each] if done.returncode == 0 else []
        return {(each["kind"], each["metadata"]["name"]): each for each in objects}, done.stderr

    return run


def daemon_set(objects, suffix=""):
    return objects["DaemonSet", "nvdp-nvidia-device-plugin" + suffix]["spec"]["template"]["spec"]


def container(spec, name, field="containers"):
    return next(each for each in spec[field] if each["name"] == name)


def environment(found):
    return {each["name"]: each.get("value") for each in found["env"]}


def test_the_plugin_alone(helm):
    objects, unused = helm()
    kinds = sorted(kind for kind, name in objects)
    assert kinds == ["ClusterRole", "ClusterRoleBinding", "DaemonSet", "DaemonSet", "ServiceAccount"]
    spec = daemon_set(objects)
    assert [each["name"] for each in spec["containers"]] == ["nvidia-device-plugin-ctr"]
    assert "initContainers" not in spec
    assert daemon_set(objects, "-mps-control-daemon")["nodeSelector"] == {"nvidia.com/mps.capable": "true"}


def test_with_feature_discovery_and_an_external_config_map(helm):
    objects, unused = helm("--set", "gfd.enabled=true,config.name=gpu-sharing,config.default=a,runtimeClassName=nvidia")
    for suffix in ("", "-gpu-feature-discovery", "-mps-control-daemon"):
        spec = daemon_set(objects, suffix)
        assert spec["runtimeClassName"] == "nvidia"
        assert spec["priorityClassName"] == "system-node-critical"
        assert {"name": "available-configs", "configMap": {"name": "gpu-sharing"}} in spec["volumes"]
        template = objects["DaemonSet", "nvdp-nvidia-device-plugin" + suffix]["spec"]["template"]
        assert "checksum/config" not in (template["metadata"]["annotations"] or {}), "nothing marks a change of an external one"
    sidecar = environment(container(daemon_set(objects), "nvidia-device-plugin-sidecar"))
    assert sidecar.pop("NODE_NAME") is None
    assert sidecar == {
        "ONESHOT": "false",
        "KUBECONFIG": "",
        "NODE_LABEL": "nvidia.com/device-plugin.config",
        "CONFIG_FILE_SRCDIR": "/available-configs",
        "CONFIG_FILE_DST": "/config/config.yaml",
        "DEFAULT_CONFIG": "a",
        "FALLBACK_STRATEGIES": "named,single",
        "SEND_SIGNAL": "true",
        "SIGNAL": "1",
        "PROCESS_TO_SIGNAL": "nvidia-device-plugin",
    }
    init = environment(container(daemon_set(objects), "nvidia-device-plugin-init", "initContainers"))
    assert (init["ONESHOT"], init["SEND_SIGNAL"], init["PROCESS_TO_SIGNAL"]) == ("true", "false", "")
    assert ("Deployment", "nvdp-node-feature-discovery-master") in objects
    assert ("DaemonSet", "nvdp-node-feature-discovery-worker") in objects
    assert ("Job", "nvdp-node-feature-discovery-prune") in objects
    worker = yaml.safe_load(objects["ConfigMap", "nvdp-node-feature-discovery-worker-conf"]["data"]["nfd-worker.conf"])
    assert worker["sources"]["pci"]["deviceLabelFields"] == ["vendor"]
    crds = {name for kind, name in objects if kind == "CustomResourceDefinition"}
    assert crds == {"nodefeatures.nfd.k8s-sigs.io", "nodefeaturerules.nfd.k8s-sigs.io", "nodefeaturegroups.nfd.k8s-sigs.io"}


def test_feature_discovery_beside_a_cluster_wide_nfd(helm):
    objects, unused = helm("--set", "gfd.enabled=true,nfd.enabled=false")
    assert sorted(name for kind, name in objects if kind == "DaemonSet") == [
        "nvdp-nvidia-device-plugin",
        "nvdp-nvidia-device-plugin-gpu-feature-discovery",
        "nvdp-nvidia-device-plugin-mps-control-daemon",
    ]
    assert not any(kind == "Job" for kind, name in objects)


def test_an_embedded_config_map_restarts_the_pods(helm):
    first, unused = helm("--set-string", "config.map.default=version: v1")
    second, unused = helm("--set-string", "config.map.default=version: v1 # changed")
    assert first["ConfigMap", "nvdp-nvidia-device-plugin-configs"]["data"] == {"default": "version: v1"}
    sums = [
        each["DaemonSet", "nvdp-nvidia-device-plugin"]["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for each in (first, second)
    ]
    assert sums[0] != sums[1]


@pytest.mark.parametrize(
    "values, namespace, words",
    [
        ("", "default", "allowDefaultNamespace=true"),
        ("namespace=x", "gpu", "'namespace' is no longer supported"),
        ("config.name=a,config.map.b=c", "gpu", "only one of 'config.name'"),
        ("config.map.a=b,config.map.c=d", "gpu", "a default config must be provided"),
        ("gfd.enabled=true,nfd.topologyUpdater.enable=true", "gpu", "no topology updater"),
        ("deviceListStrategy={envvar}", "gpu", "deviceListStrategy"),
    ],
)
def test_refusals(helm, values, namespace, words):
    objects, errors = helm(*(["--set", values] if values else []), namespace=namespace)
    assert not objects
    assert words in errors


@pytest.mark.parametrize(
    "values, namespace",
    [
        ("allowDefaultNamespace=true", "default"),
        ("config.map.a=b", "gpu"),
        ("config.map.a=b,config.map.default=c", "gpu"),
        ("config.map.a=b,config.map.c=d,config.default=nobody", "gpu"),
        ("config.map.a=b,config.map.c=d,config.fallbackStrategies={empty}", "gpu"),
        ("migStrategy=foo,unknown.key=1", "gpu"),
    ],
)
def test_what_the_real_chart_lets_pass(helm, values, namespace):
    objects, errors = helm("--set", values, namespace=namespace)
    assert objects, errors


@pytest.mark.parametrize(
    "values, context",
    [
        ("migStrategy=none", {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}),
        ("migStrategy=single", {"capabilities": {"add": ["SYS_ADMIN"]}}),
        ("config.name=x", {"capabilities": {"add": ["SYS_ADMIN"]}}),
        ("deviceListStrategy=envvar\\,volume-mounts", {"capabilities": {"add": ["SYS_ADMIN"]}}),
        ("compatWithCPUManager=true", {"privileged": True}),
        ("securityContext.runAsUser=0", {"runAsUser": 0}),
    ],
)
def test_privileges(helm, values, context):
    objects, unused = helm("--set", values)
    assert container(daemon_set(objects), "nvidia-device-plugin-ctr")["securityContext"] == context
