"""Records a second through the input pipeline: each step alone, all together, and what
it costs a training.

    python -m benchmarks.speed.pipeline records/target \\
        [--network alexnet --image-size 112]

*Alone* is the step's own time: that of the pipeline with it less that without it.
*CPU ms* is processor time, which another process beside this one changes little; the
figure for 16 cores on paper comes from it. The last lines train with the pipeline and
say for how much of a step the device stood idle for want of a batch.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable, Iterator
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf  # noqa: E402

from benchmarks.speed import rows  # noqa: E402
from gastric_keras.config.fit import AugmentConfig, FitConfig  # noqa: E402
from gastric_keras.data.decode import decode  # noqa: E402
from gastric_keras.data.pipeline import train_dataset  # noqa: E402
from gastric_keras.data.selection import Selection  # noqa: E402
from gastric_keras.models.classifier import build_classifier  # noqa: E402
from gastric_keras.records.manifest import read_manifest, shard_paths  # noqa: E402
from gastric_keras.records.schema import parse  # noqa: E402
from gastric_keras.training.fit import compile_for  # noqa: E402

FULL = AugmentConfig(zoom=0.25, color=0.1, stain=0.2)
BATCH = 32
#: Steps up to which the speed is held against the aim.
_ON_PAPER = ("shuffle", "stain (the default)", "zoom, color")


def main() -> None:
    """Print the table."""
    options = _parse()
    cores = len(os.sched_getaffinity(0))
    names = list(_pipelines(options.records, options.image_size))
    print(
        f"{options.records}, {options.image_size} px, batches of {BATCH}, {cores} cores"
    )
    print(f"{'up to and with':22}{'records/s':>11}{'CPU ms':>10}{'alone, CPU ms':>15}")
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in names}
    for _ in range(options.turns):
        for name, dataset, unit in names:
            runs[name].append(_measure(dataset(), unit, options.seconds))
    before, found = 0.0, []
    for name, _, _ in names:
        rate, cpu = (median(figures) for figures in zip(*runs[name], strict=True))
        if name in _ON_PAPER:
            found.append(
                rows.Row(
                    f"input pipeline up to {name}, 16 cores on paper",
                    16 / cpu,
                    "patches/s",
                    "aim",
                    20_000,
                    aim=1.0,
                )
            )
        print(f"{name:22}{rate:11,.0f}{1000 * cpu:10.3f}{1000 * (cpu - before):15.3f}")
        before = cpu
    print(f"16 cores on paper, with all of it: {16 / before:,.0f} patches/s")
    found.append(_train(options))
    rows.save(found)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process: {memory:,.0f} MB")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records")
    parser.add_argument("--image-size", type=int, default=112)
    parser.add_argument("--network", default="alexnet")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--turns", type=int, default=3)
    return parser.parse_args()


def _pipelines(
    folder: str, size: int
) -> Iterator[tuple[str, Callable[[], tf.data.Dataset], int]]:
    paths = shard_paths(folder, read_manifest(folder), "train")

    def read() -> tf.data.Dataset:
        return tf.data.TFRecordDataset(paths).repeat()

    def decoded(raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values = parse(raw, ("image", "label"))
        return decode(values["image"], size), values["label"]

    def mapped() -> tf.data.Dataset:
        return read().map(decoded, num_parallel_calls=tf.data.AUTOTUNE)

    def trained(config: AugmentConfig | None) -> Callable[[], tf.data.Dataset]:
        return lambda: train_dataset(
            Selection(folder),
            image_size=size,
            batch_size=BATCH,
            epochs=10**6,
            augment_config=config,
        )

    yield "read", lambda: read().batch(BATCH), BATCH
    yield "parse and decode", lambda: mapped().prefetch(8), 1
    yield "batch", lambda: mapped().batch(BATCH).prefetch(8), BATCH
    yield "shuffle", trained(None), BATCH
    yield "flip, turn", trained(AugmentConfig(stain=0.0)), BATCH
    yield "stain (the default)", trained(AugmentConfig()), BATCH
    yield "zoom, color", trained(FULL), BATCH


def _measure(
    dataset: tf.data.Dataset, unit: int, seconds: float
) -> tuple[float, float]:
    """Patches a second, and processor seconds a patch."""
    batches = iter(dataset)
    for _ in range(max(2, 64 // unit)):
        next(batches)
    started, cpu, n = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - started < seconds:
        next(batches)
        n += unit
    cpu = time.process_time() - cpu
    return n / (time.perf_counter() - started), cpu / n


def _train(options: argparse.Namespace) -> rows.Row:
    share, rate = wait_share(
        options.records,
        options.network,
        image_size=options.image_size,
        batch=BATCH,
        steps=24 * options.turns,
    )
    print(
        f"{options.network} waits for records {share:.2%} of a "
        f"step ({rate:,.0f} images/s)"
    )
    what = f"{options.network} at {options.image_size} px waits for records"
    return rows.Row(
        what, 100 * share, "% of a step", "aim", 2.0, better="less", aim=1.0
    )


def wait_share(
    records: str, network: str, *, image_size: int, batch: int, steps: int
) -> tuple[float, float]:
    """Train with all views on; share of the time that no batch was there, images/s."""
    model = build_classifier(network, 2, image_size=image_size, weights="none")
    compile_for(model, FitConfig(), steps_per_epoch=100)
    pipeline = train_dataset(
        Selection(records),
        image_size=image_size,
        batch_size=batch,
        epochs=10**6,
        augment_config=FULL,
    ).map(lambda x, y: (x, y % 2))
    batches = iter(pipeline)
    waited, seconds = [], []
    for _ in range(steps):
        started = time.perf_counter()
        fresh = next(batches)
        got = time.perf_counter()
        model.train_on_batch(*fresh)
        waited.append(got - started)
        seconds.append(time.perf_counter() - started)
    # The first ones trace and fill.
    del waited[: steps // 8], seconds[: steps // 8]
    return sum(waited) / sum(seconds), batch * len(seconds) / sum(seconds)


if __name__ == "__main__":
    main()
