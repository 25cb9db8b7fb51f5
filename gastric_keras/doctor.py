"""What is here and what is missing: packages, devices, weights, disk."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from gastric_keras.config.backbones import BACKBONES
from gastric_keras.support.devices import find_device
from gastric_keras.support.versions import PACKAGES, read_commit, read_versions

TESTED_TENSORFLOW = "2.17.1"


def run_doctor() -> None:
    """Stage doctor: print what a run would find on this machine."""
    for line in examine():
        print(line)


def examine() -> Iterator[str]:
    """One line a finding; a line that needs attention begins with ``!``."""
    yield f"python {platform.python_version()} on {platform.machine()}"
    versions = read_versions()
    for name in PACKAGES:
        version = versions[name]
        yield f"{name} {version}" if version else f"! {name} is not installed"
    if versions["tensorflow"] and versions["tensorflow"] != TESTED_TENSORFLOW:
        yield (
            f"! tensorflow {TESTED_TENSORFLOW} is the tested version (the last whose "
            "tensorflow-io loads): pip install "
            f"tensorflow=={TESTED_TENSORFLOW}"
        )
    yield f"gastric_keras at commit {read_commit() or 'unknown'}"
    yield from _native_operations()
    yield from _devices()
    yield from _weights()
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    yield f"{'!' if free < 5 else ''} {free:.0f} GiB free on this disk".strip()


def _native_operations() -> Iterator[str]:
    """Which decoder reads DICOM, and the forms of TIFF that Pillow gets wrong."""
    from gastric_keras.imaging.native import find_tensorflow_io

    found, reason = find_tensorflow_io()
    if found is None:
        yield (
            f"tensorflow-io does not load ({reason}): pydicom decodes DICOM, OpenCV "
            "and tifffile the TIFFs that Pillow does not know"
        )
    else:
        yield "tensorflow-io's native operations load (a TIFF was decoded)"


def _devices() -> Iterator[str]:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        details = tf.config.experimental.get_device_details(gpu)
        yield f"{gpu.name}: {details.get('device_name', 'GPU')}"
    if not gpus:
        yield "no GPU: training runs on the CPU"
    device = find_device()
    lacks = "; no bfloat16 in hardware, so mixed_bfloat16 is emulated"
    yield (
        f"{device.name}: precision auto takes {device.precisions[0]}"
        f"{lacks * ('mixed_bfloat16' not in device.precisions)}"
    )


def _weights() -> Iterator[str]:
    for name, kind in BACKBONES.items():
        source = kind.imagenet
        if source is None:
            yield f"ImageNet weights of {name}: none are known"
        elif source == "keras":
            yield f"ImageNet weights of {name}: fetched by its constructor"
        elif source.path.is_file():
            yield f"ImageNet weights of {name}: {source.path}"
        else:
            yield (
                f"ImageNet weights of {name}: not in the cache; weights: imagenet will "
                f"fetch {source.url} to {source.path}"
            )
