"""What patches stored as JPEG would save: bytes and processor time to decode, and lose.

    python -m benchmarks.speed.jpeg records/target

The loss is in gray levels of the pixels; what it does to an AUC is not measured here.
"""

from __future__ import annotations

import argparse
import os
import time
from itertools import islice
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from benchmarks.speed import rows  # noqa: E402
from gastric_keras.data.decode import decode, decode_rgb  # noqa: E402
from gastric_keras.records.schema import read_records  # noqa: E402

PATCHES = 256
BATCH = 32
QUALITIES = (95, 90, 80)
TURNS = 5


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records")
    folder = parser.parse_args().records
    stored = [record.image for record in islice(read_records(folder, "train"), PATCHES)]
    pixels = [decode_rgb(data).numpy() for data in stored]
    forms = {"as stored": stored}
    for quality in QUALITIES:
        forms[f"JPEG {quality}"] = [_jpeg(image, quality) for image in pixels]
    size = pixels[0].shape[0]
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(TURNS):
        for name, pictures in forms.items():
            seconds[name].append(_seconds(pictures, size))
    print(f"{folder}, {size} px, {len(stored)} patches")
    print(f"{'':12}{'bytes':>9}{'CPU ms':>9}{'mean error, gray levels':>26}")
    found, theirs = [], 1000 * median(seconds["as stored"])
    for name, pictures in forms.items():
        ours = 1000 * median(seconds[name])
        size_of_one = np.mean([len(data) for data in pictures])
        error = np.mean(
            [
                np.abs(decode_rgb(data).numpy().astype(int) - image).mean()
                for data, image in zip(pictures, pixels, strict=True)
            ]
        )
        print(f"{name:12}{size_of_one:9,.0f}{ours:9.3f}{error:26.2f}")
        if name != "as stored":
            what = f"decoding patches kept as {name}"
            peer = "as stored"
            found.append(rows.Row(what, ours, "CPU ms", peer, theirs, better="less"))
    rows.save(found)


def _jpeg(image: np.ndarray, quality: int) -> bytes:
    """Without subsampling of the colors, in which the stains differ."""
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, *sampling]
    data: np.ndarray = cv2.imencode(".jpg", image[:, :, ::-1], options)[1]
    return data.tobytes()


def _seconds(pictures: list[bytes], size: int) -> float:
    """Processor seconds a patch, in batches as training decodes them."""
    dataset = tf.data.Dataset.from_tensor_slices(pictures).repeat()
    dataset = dataset.map(
        lambda data: decode(data, size),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    batches = iter(dataset.batch(BATCH).prefetch(tf.data.AUTOTUNE))
    for _ in range(4):
        next(batches)
    started, number = time.process_time(), 24
    for _ in range(number):
        next(batches)
    return (time.process_time() - started) / number / BATCH


if __name__ == "__main__":
    main()
