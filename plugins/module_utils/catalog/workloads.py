# Copyright (c) 2026, gpuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.
"""Workloads that gpu_validation runs: images, commands and what their logs say when the GPU worked. Data only."""

from __future__ import annotations

import typing as t


class Workload(t.NamedTuple):
    """What a pod runs. C(success) is a regular expression that its log must match (C(^) and C($) match at lines)."""

    image: str
    command: t.Tuple[str, ...] = ()
    args: t.Tuple[str, ...] = ()
    capabilities: t.Tuple[str, ...] = ()
    success: str = ""
    # The image runs as an unprivileged user, as the strictest level of Pod Security asks.
    unprivileged: bool = False
    # It never ends by itself.
    endless: bool = False


# A tester refuses a driver of another CUDA version than its own ("Wrong version of dcgmproftester is used"), and images hold
# several: each one is tried. -t 1004 loads the tensor cores, -d is in seconds.
_PROFTESTER = """\
for tester in dcgmproftester13 dcgmproftester12 dcgmproftester11; do
  command -v "$tester" || continue
  "$tester" --no-dcgm-validation -t 1004 -d 30 && exit 0
done
exit 1
"""

# A step of training on made-up pictures of MNIST's size: nothing is downloaded.
_TENSORFLOW = """\
import tensorflow as tf

gpus = tf.config.list_physical_devices("GPU")
if not gpus:
    raise SystemExit("TensorFlow sees no GPU")
# Other pods may share the GPU: TensorFlow would take all of its memory.
tf.config.experimental.set_memory_growth(gpus[0], True)
images = tf.random.uniform((2048, 28, 28, 1))
labels = tf.random.uniform((2048,), maxval=10, dtype=tf.int32)
layers = tf.keras.layers
model = tf.keras.Sequential([layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(10)])
model.compile(optimizer="adam", loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
with tf.device("/GPU:0"):
    model.fit(images, labels, epochs=1, batch_size=128, verbose=2)
print("TensorFlow trained on", gpus[0].name)
"""

WORKLOADS: t.Dict[str, Workload] = {
    # Source: Kubernetes' own sandbox image, which sleeps as user 65535.
    "scheduling": Workload("registry.k8s.io/pause:3.10", unprivileged=True, endless=True),
    # Source: NVIDIA's time-slicing guide (image), the CUDA sample vectorAdd (last lines of its output).
    "vectoradd": Workload("nvcr.io/nvidia/k8s/cuda-sample:vectoradd-cuda12.5.0-ubuntu22.04", success=r"Test PASSED"),
    # Source: the CUDA sample nbody: the device it found, then the speed it reached.
    "nbody": Workload(
        "nvcr.io/nvidia/k8s/cuda-sample:nbody-cuda11.7.1-ubuntu18.04",
        args=("-benchmark", "-numbodies=512000"),
        success=r"CUDA device: \[.+\](?s:.*)-precision GFLOP/s",
    ),
    # Source: values of the GPU Operator 26.7 (image), DCGM user guide, CUDA test generator (command, capability, output).
    "dcgmproftester": Workload(
        "nvcr.io/nvidia/cloud-native/dcgm:4.6.0-1-ubuntu24.04",
        command=("sh", "-c", _PROFTESTER),
        capabilities=("SYS_ADMIN",),
        success=r"TensorEngineActive: generated .*gflops\)",
    ),
    # Source: TensorFlow's guide to GPUs; the script is ours.
    "tensorflow": Workload(
        "docker.io/tensorflow/tensorflow:2.17.0-gpu",
        command=("python", "-c", _TENSORFLOW),
        success=r"TensorFlow trained on /physical_device:GPU:0",
    ),
}

# Source: nvidia-smi -L, one line a GPU.
NVIDIA_SMI = ("nvidia-smi", "-L")
NVIDIA_SMI_SUCCESS = r"^GPU 0: .+\(UUID: GPU-"
