# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are virtual machines, for what needs a kernel of its own: modules, reboots, all controllers of cgroup2.

QEMU runs in a container, which gives it the network, the name and the ends that a container has. It is the machine's own QEMU, whose
/usr the container sees. Emulation is the default: a machine that is virtual itself often offers a KVM that does not work.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed import paths
from tests.hosts import containers, engine, images, machine
from tests.hosts.containers import File
from tests.hosts.machine import NotPossible
from tests.hosts.records import Host

PACKAGES = (*images.PACKAGES, "linux-image-cloud-amd64", "initramfs-tools", "zstd", "e2fsprogs", "udev", "dmidecode", "pciutils")
_DISK = "8G"

HOOK = images.hook(images.TIMERS) + """
echo '/dev/vda / ext4 defaults 0 1' > etc/fstab
chroot . systemctl --quiet enable systemd-networkd.service
"""

_NETWORK = "[Match]\nMACAddress=%s\n[Network]\nAddress=%s/%d\nGateway=%s\n"

# The container's own end of the network is bridged to the virtual machine, which has the address; so it needs another hardware address.
# All of that stays over a restart.
_RUN = """set -e
if ! [ -e /sys/class/net/br0 ]; then
  ip address flush dev eth0
  ip link set eth0 address 02:68%(hardware_tail)s
  ip link add br0 type bridge
  ip tuntap add tap0 mode tap
  for end in eth0 tap0; do ip link set $end master br0 up; done
  ip link set br0 up
fi
exec qemu-system-x86_64 -machine q35 -accel %(accelerator)s -cpu max -smp 2 -m %(memory)d -display none -monitor none -serial file:/vm/console \\
  -kernel /image/vmlinuz -initrd /image/initrd -append 'root=/dev/vda rw console=ttyS0 quiet mitigations=off' \\
  -drive file=/vm/disk,if=virtio,format=raw,cache=unsafe -netdev tap,id=n0,ifname=tap0,script=no,downscript=no \\
  -device virtio-net-pci,netdev=n0,mac=%(hardware)s -device virtio-rng-pci
"""


def _directory(name: str) -> Path:
    return machine.state_directory() / "vms" / name


def ensure(suite: str) -> str:
    """Return the directory of the image of a suite's virtual machines, made where it is missing: some minutes."""
    if platform.machine() != "x86_64":
        raise NotPossible("virtual machines are made for x86_64 only, and this machine is %s" % platform.machine())
    machine.require(machine.VM_PACKAGES)
    lines = images.sources(suite, *images.mirrors())
    recipe = repr((suite, lines, PACKAGES, HOOK, _DISK)).encode() + images.CERTIFICATES.read_bytes()
    target = machine.cache_directory() / ("vm-%s-%s" % (suite, hashlib.sha256(recipe).hexdigest()[:12]))
    with machine.locked(machine.cache_directory() / "vms.lock"):
        if not target.exists():
            machine.say("making the image %s (some minutes, once)" % target.name)
            with tempfile.TemporaryDirectory(dir=machine.cache_directory()) as scratch:
                _build(suite, lines, Path(scratch))
                (Path(scratch) / "image").rename(target)
    return str(target)


def _build(suite: str, lines: t.Sequence[str], scratch: Path) -> None:
    archive, root, image = scratch / "host.tar", scratch / "root", scratch / "image"
    images.bootstrap(suite, lines, archive, PACKAGES, HOOK)
    root.mkdir()
    image.mkdir()
    machine.run("tar", "-C", root, "--numeric-owner", "--xattrs", "--xattrs-include=*", "-xf", archive)
    archive.unlink()
    for name, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd", "initrd.img-*")):
        (found,) = (root / "boot").glob(pattern)
        shutil.copy(found, image / name)
    machine.run("truncate", "--size", _DISK, image / "disk")
    machine.run("mke2fs", "-q", "-F", "-t", "ext4", "-J", "size=32", "-d", root, image / "disk")


def make(host: Host, files: t.Iterable[File], gateway: str, prefix: int) -> None:
    """Make a host, put the files onto its disk, and start it."""
    directory = paths.make_private(_directory(host.name))
    machine.run("cp", "--sparse=always", Path(host.image) / "disk", directory / "disk")
    network = File("/etc/systemd/network/10-host.network", _NETWORK % (host.hardware_address, host.address, prefix, gateway))
    _write_files(directory / "disk", [*files, network, File("/etc/hostname", host.name + "\n")])
    values = {"hardware": host.hardware_address, "hardware_tail": host.hardware_address[5:], "memory": host.options.memory_mib,
              "accelerator": os.environ.get("GPUOPS_VM_ACCELERATOR", "tcg,thread=multi,tb-size=512")}
    engine.podman("create", *containers.network_options(host), "--volume=/usr:/usr:ro", "--volume=%s:/vm" % directory, "--volume=%s:/image:ro" % host.image,
                  images.ensure(host.options.suite), "sh", "-c", _RUN % values)
    engine.podman("start", host.container)


def _write_files(disk: Path, files: t.Iterable[File]) -> None:
    """Put files onto a file system that is not mounted: loop devices may be missing."""
    with tempfile.TemporaryDirectory(dir=disk.parent) as scratch:
        commands = []
        for number, file in enumerate(files):
            source = Path(scratch) / str(number)
            source.write_text(file.text, encoding="utf-8")
            directory, name = os.path.split(file.path)
            commands += ["cd " + directory, "rm " + name, "write %s %s" % (source, name), "sif %s mode 0100%03o" % (name, file.mode),
                         "sif %s uid 0" % name, "sif %s gid 0" % name]
        machine.run("debugfs", "-w", "-f", "-", disk, input="\n".join(commands) + "\n")


def remove(name: str) -> None:
    """Remove a host's disk; its container is gone by now."""
    shutil.rmtree(_directory(name), ignore_errors=True)


def console(name: str) -> str:
    """Return the end of what the host wrote to its console."""
    path = _directory(name) / "console"
    return path.read_text(encoding="utf-8", errors="replace")[-2000:] if path.exists() else ""
