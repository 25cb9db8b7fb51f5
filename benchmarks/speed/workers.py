"""What each of two workers reads: bytes against the whole set, and the same losses.

    python -m benchmarks.speed.workers demo/records/target

AlexNet is trained by one process, then by two on loopback, as TF_CONFIG tells them.
Bytes are those that the process read from files (rchar of /proc/self/io, without
sockets): while it trained, and before, once a fit, the manifest and the places of the
records. A worker that read all batches would read as much as the one process.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.speed import rows  # noqa: E402
from gastric_keras.config.experiment import TargetConfig  # noqa: E402
from gastric_keras.config.fit import FitConfig  # noqa: E402

EPOCHS = 2


def main() -> int:
    """Print the table; 1 when the losses of two workers are not those of one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", help="folder of a set; its train split is read")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print("RESULT " + json.dumps(train(options)))
        return 0
    (alone,), both = _start(1), _start(2)
    print(f"{options.records}, {EPOCHS} epochs of AlexNet, batches of {options.batch}")
    print(
        f"{'process':10}{'records, MB':>13}{'places, MB':>12}{'share':>7}{'loss':>10}"
    )
    names = ("alone", "worker 0", "worker 1")
    for name, one in zip(names, (alone, *both), strict=True):
        share = one["records"] / alone["records"]
        print(
            f"{name:10}{one['records'] / 1e6:13.2f}{one['places'] / 1e6:12.3f}"
            f"{share:7.2f}{one['loss'][-1]:10.6f}"
        )
    gap = max(
        abs(wanted - found)
        for one in both
        for wanted, found in zip(alone["loss"], one["loss"], strict=True)
    )
    print(f"largest difference of a loss: {gap:.1e}")
    rows.save(
        rows.Row(
            f"records read by {name} of 2",
            one["records"] / 1e6,
            "MB",
            "one process",
            alone["records"] / 1e6,
            better="less",
            aim=1.95,
        )
        for name, one in zip(names[1:], both, strict=True)
    )
    return 0 if gap < 1e-5 else 1


def _start(count: int) -> Sequence[dict]:
    """Workers side by side, on free ports; what each of them found."""
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    hosts = [f"127.0.0.1:{each.getsockname()[1]}" for each in held]
    for each in held:
        each.close()
    workers = []
    for index in range(count):
        tree = {
            "cluster": {"worker": hosts},
            "task": {"type": "worker", "index": index},
        }
        more = {"TF_CONFIG": json.dumps(tree)} if count > 1 else {}
        workers.append(
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.speed.workers", *sys.argv[1:]]
                + ["--one"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | more,
                text=True,
            )
        )
    return [_result(worker) for worker in workers]


def _result(worker: subprocess.Popen[str]) -> dict:
    said, errors = worker.communicate()
    if worker.returncode:
        raise SystemExit(f"a worker ended with {worker.returncode}:\n{errors[-3000:]}")
    line = next(x for x in said.splitlines() if x.startswith("RESULT "))
    return json.loads(line.removeprefix("RESULT "))


def train(options: argparse.Namespace) -> dict:
    """Train here; bytes read and the loss of each epoch."""
    import keras

    from gastric_keras.data.stage_data import training_data
    from gastric_keras.models.classifier import build_classifier
    from gastric_keras.records.manifest import read_manifest
    from gastric_keras.training.fit import compile_for
    from gastric_keras.training.runtime import batch_part, build_strategy, distribute

    strategy = build_strategy()
    classes = read_manifest(options.records).classes
    section = TargetConfig(
        options.records,
        classes=classes,
        positive=classes[-1],
        fit=FitConfig(epochs=EPOCHS, batch_size=options.batch, learning_rate=1e-5),
    )
    keras.utils.set_random_seed(0)
    size = options.image_size
    with strategy.scope():
        # Dropout would draw for each worker apart.
        model = build_classifier(
            "alexnet", len(classes), image_size=size, weights="none", dropout=0.0
        )
        data = training_data(section, seed=0, image_size=size, part=batch_part())
        compile_for(model, section.fit, steps_per_epoch=data.steps_per_epoch)
    start = _bytes_read()
    batches = data.batches(0)
    places = _bytes_read() - start
    fed = distribute(strategy, model, batches)
    meter = _meter()
    found = model.fit(
        **fed,
        epochs=EPOCHS,
        steps_per_epoch=data.steps_per_epoch,
        shuffle=False,
        verbose=0,
        callbacks=[meter],
    )
    return {
        "records": meter.read,
        "places": places,
        "loss": found.history["loss"],
    }


def _meter():  # type: ignore[no-untyped-def]
    import keras

    class Meter(keras.callbacks.Callback):
        """Bytes that the process reads while it trains."""

        def on_train_begin(self, logs: dict | None = None) -> None:
            self.read = -_bytes_read()

        def on_train_end(self, logs: dict | None = None) -> None:
            self.read += _bytes_read()

    return Meter()


def _bytes_read() -> int:
    fields = Path("/proc/self/io").read_text().split()
    return int(fields[fields.index("rchar:") + 1])


if __name__ == "__main__":
    sys.exit(main())
