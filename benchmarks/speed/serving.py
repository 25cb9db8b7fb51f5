"""Pictures a second, JPEG bytes to probability, against the bare model on patches.

    python -m benchmarks.speed.serving demo/records/target \\
        [--network vgg16 --image-size 224]

For each batch: the exported model on bytes and on patches, the same model as it was
before the export, and decoding alone. They take turns, so that a noisy machine is noisy
for all; each figure is the median of its turns. Weights are random: they cost the same.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from benchmarks.speed import rows  # noqa: E402
from gastric_keras.config.backbones import BACKBONES  # noqa: E402
from gastric_keras.data.decode import decode  # noqa: E402
from gastric_keras.models.classifier import build_classifier  # noqa: E402
from gastric_keras.models.inference import build_forward  # noqa: E402
from gastric_keras.records.schema import read_records  # noqa: E402
from gastric_keras.serving.graph import (  # noqa: E402
    decode_all,
    write_saved_model,
)
from gastric_keras.serving.operating_point import OperatingPoint  # noqa: E402

BATCHES = (1, 2, 4, 8, 16, 32, 64)
POINT = OperatingPoint(("benign", "malignant"), "malignant", 0.5, 1.5)


def main() -> None:
    """Print the table."""
    options = _parse()
    keras.config.set_dtype_policy(options.precision)
    pictures = _pictures(options.records)
    size = options.image_size
    model = build_classifier(options.network, 2, image_size=size, weights="none")
    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(model, Path(folder), point=POINT)
        signatures = tf.saved_model.load(folder).signatures
        ways = {
            "bytes": lambda data, _: signatures["serving_default"](image_bytes=data),
            "patches": lambda _, patch: signatures["predict_array"](patch=patch),
            "bare": lambda _, patch, forward=build_forward(model): forward(patch),
            "decode": lambda data, _, decoded=_decoder(size): decoded(data),
        }
        sides = tf.io.decode_jpeg(pictures[0]).shape[:2]
        mean = sum(map(len, pictures)) / len(pictures)
        print(
            f"{options.network} at {size} px, {options.precision}, JPEG of "
            f"{sides[1]}x{sides[0]} px and {mean / 1000:.1f} kB, "
            f"{len(os.sched_getaffinity(0))} cores, median of {options.turns} turns"
        )
        print(
            f"{'batch':>5}{'bytes, ms':>11}{'pictures/s':>12}{'patches/s':>11}"
            f"{'bare/s':>9}{'decoded/s':>11}{'bytes/bare':>12}"
        )
        rows.save([_print_row(ways, pictures, batch, options) for batch in BATCHES])


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", help="folder of a set; its test split is sent")
    parser.add_argument("--network", default="alexnet", choices=BACKBONES)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn")
    return parser.parse_args()


def _pictures(records: str) -> list[bytes]:
    """As JPEG, whatever the records hold."""
    images = [record.image for record in islice(read_records(records, "test"), 64)]
    return [
        tf.io.encode_jpeg(tf.io.decode_image(image, 3), quality=90).numpy()
        for image in islice(cycle(images), 64)
    ]


def _decoder(size: int) -> Callable[[tf.Tensor], tf.Tensor]:
    spec = [tf.TensorSpec((None,), tf.string)]
    return tf.function(lambda data: decode_all(data, size), input_signature=spec)


def _print_row(
    ways: dict[str, Callable[..., object]],
    pictures: list[bytes],
    batch: int,
    options: argparse.Namespace,
) -> rows.Row:
    data = tf.constant(pictures[:batch])
    patch = tf.stack([decode(tf.constant(p), options.image_size) for p in pictures])
    patch = patch[:batch]
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(options.turns + 1):
        for name, way in ways.items():
            rate = batch * _calls_per_second(lambda: way(data, patch), options.seconds)
            if turn:  # the first one traces
                rates[name].append(rate)
    rate = {name: statistics.median(values) for name, values in rates.items()}
    print(
        f"{batch:5}{1000 * batch / rate['bytes']:11.1f}{rate['bytes']:12.1f}"
        f"{rate['patches']:11.1f}{rate['bare']:9.1f}{rate['decode']:11.0f}"
        f"{rate['bytes'] / rate['bare']:12.2f}",
        flush=True,
    )
    what = f"{options.network} at {options.image_size} px served, JPEG, batch {batch}"
    return rows.Row(what, rate["bytes"], "pictures/s", "bare model", rate["bare"])


def _calls_per_second(call: Callable[[], object], seconds: float) -> float:
    started, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - started < seconds:
        call()
        calls += 1
    return calls / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
