"""What it saves to train less: images a second by the first layer that is trained, and
the head alone by epochs against the probe.

    python -m benchmarks.speed.frozen demo/records/target
    python -m benchmarks.speed.frozen records/ebhi_target --weights PATH

A frozen layer is skipped in the backward pass. The head alone is a convex problem on
features that do not change: the probe sends each patch through the backbone once.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from benchmarks.speed import rows  # noqa: E402
from gastric_keras.config.backbones import BACKBONES  # noqa: E402
from gastric_keras.config.fit import FitConfig  # noqa: E402
from gastric_keras.data.pipeline import (  # noqa: E402
    Selection,
    eval_dataset,
    steps_per_epoch,
    train_dataset,
)
from gastric_keras.models.classifier import build_classifier  # noqa: E402
from gastric_keras.models.inference import build_forward, predict  # noqa: E402
from gastric_keras.training import head_probe as probe  # noqa: E402
from gastric_keras.training.fit import compile_for  # noqa: E402
from gastric_keras.training.tasks import validation_scores  # noqa: E402

BATCH = 32


def main() -> None:
    """Print both tables."""
    options = _parse()
    print(f"{options.network} at {options.image_size} px, batches of {BATCH}")
    print(f"{'trained from':14}{'images/s':>10}{'against all':>13}")
    cuts = [None, *list(BACKBONES[options.network].first_convolutions.values())[1:]]
    models = {cut or "all": _build(options, trainable_from=cut) for cut in cuts}
    models["head"] = _head_only(options)
    rates = _training_rates(models, options)
    for name, rate in rates.items():
        print(f"{name:14}{rate:10.0f}{rate / rates['all']:13.2f}")
    print(f"{'head alone':14}{'seconds':>10}{'validation AUC':>16}")
    for epochs in (1, 5):
        trained, auc = _train_head(options, epochs)
        print(f"{epochs} epoch{'s' * (epochs > 1):8}{trained:9.1f}{auc:16.3f}")
    seconds, auc = _probe_head(options)
    print(f"{'probe':14}{seconds:10.1f}{auc:16.3f}")
    name = f"{options.network} at {options.image_size} px"
    found = [
        rows.Row(f"{name}, {cut} trained", rates[cut], "images/s", "all", rates["all"])
        for cut in list(rates)[-2:]
    ]
    what, peer = f"{name}, head alone by a probe", "5 epochs of it"
    rows.save([*found, rows.Row(what, seconds, "s", peer, trained, better="less")])


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records")
    parser.add_argument("--network", default="alexnet", choices=BACKBONES)
    parser.add_argument("--weights", default="none")
    parser.add_argument("--image-size", type=int, default=112)
    parser.add_argument("--turns", type=int, default=5)
    return parser.parse_args()


def _build(
    options: argparse.Namespace, *, trainable_from: str | None = None
) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_classifier(
        options.network,
        2,
        image_size=options.image_size,
        weights=options.weights,
        dropout=0.2,
        trainable_from=trainable_from,
    )


def _head_only(options: argparse.Namespace) -> keras.Model:
    model = _build(options)
    model.get_layer("backbone").trainable = False
    return model


def _training_rates(
    models: dict[str, keras.Model], options: argparse.Namespace
) -> dict[str, float]:
    size = options.image_size
    patches = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3))
    batch = tf.constant(patches.astype(np.uint8)), tf.constant(np.arange(BATCH) % 2)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for model in models.values():
        compile_for(model, FitConfig(), steps_per_epoch=100)
        model.train_on_batch(*batch)
    for _ in range(options.turns):
        for name, model in models.items():
            started = time.perf_counter()
            for _ in range(4):
                model.train_on_batch(*batch)
            seconds[name].append(time.perf_counter() - started)
    return {name: 4 * BATCH / sorted(s)[len(s) // 2] for name, s in seconds.items()}


def _train_head(options: argparse.Namespace, epochs: int) -> tuple[float, float]:
    model = _head_only(options)
    selection = Selection(options.records)
    steps = steps_per_epoch(selection, BATCH)
    compile_for(
        model, FitConfig(epochs=epochs, learning_rate=1e-3), steps_per_epoch=steps
    )
    started = time.perf_counter()
    dataset = train_dataset(
        selection, image_size=options.image_size, batch_size=BATCH, epochs=epochs
    )
    model.fit(dataset, epochs=epochs, steps_per_epoch=steps, shuffle=False, verbose=0)
    return time.perf_counter() - started, _auc(model, options)


def _probe_head(options: argparse.Namespace) -> tuple[float, float]:
    model = _build(options)
    started = time.perf_counter()
    dataset = eval_dataset(
        Selection(options.records), image_size=options.image_size, batch_size=BATCH
    )
    probe.probe_head(model, dataset, strength=0.1, balance=True)
    return time.perf_counter() - started, _auc(model, options)


def _auc(model: keras.Model, options: argparse.Namespace) -> float:
    dataset = eval_dataset(
        Selection(options.records, "validation"),
        image_size=options.image_size,
        batch_size=BATCH,
    )
    columns = predict(build_forward(model), dataset)
    return validation_scores(columns["label"], columns["probability"])["val_auc"]


if __name__ == "__main__":
    main()
