"""The patches that a stage is fitted and validated on, as its config asks for them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from gastric_keras.config.experiment import ExperimentConfig, MidConfig, TargetConfig
from gastric_keras.data.label_shuffle import Labeler, shuffle_labels
from gastric_keras.data.pipeline import (
    batch_keys,
    eval_dataset,
    steps_per_epoch,
    train_dataset,
)
from gastric_keras.records.manifest import read_manifest

Section = MidConfig | TargetConfig


@dataclass(frozen=True)
class TrainingData:
    """The patches that a stage is fitted on.

    Attributes:
        batches: first epoch -> batches of (image, label) from there to the last epoch.
        plain: each training patch once, as an ``eval_dataset``; called for only when
            the head starts from a probe.
        keys: number of a batch in the whole fit -> names of its patches.
        steps_per_epoch: batches an epoch.
    """

    batches: Callable[[int], tf.data.Dataset]
    plain: Callable[[], tf.data.Dataset]
    keys: Callable[[int], list[str]]
    steps_per_epoch: int


def training_data(section: Section, *, seed: int, image_size: int) -> TrainingData:
    """The training patches of one set.

    Args:
        section: of the config.
        seed: of order, augmentation and shuffled labels.
        image_size: side in px.
    """
    which = _subset(section)
    folder, fit = section.records, section.fit
    order: dict[str, Any] = {
        "batch_size": fit.batch_size,
        "seed": seed,
        "shuffle_buffer": fit.shuffle_buffer,
    } | which
    labeler = _labeler(section, "train", seed)
    return TrainingData(
        batches=lambda start: train_dataset(
            folder,
            image_size=image_size,
            epochs=fit.epochs,
            initial_epoch=start,
            augment_config=section.augment,
            min_steps=fit.min_steps,
            labeler=labeler,
            **order,
        ),
        plain=lambda: eval_dataset(
            folder,
            "train",
            image_size=image_size,
            batch_size=fit.batch_size,
            labeler=labeler,
            **which,
        ),
        keys=lambda number: batch_keys(folder, number=number, **order),
        steps_per_epoch=count_steps(section),
    )


def validation_data(section: Section, *, seed: int, image_size: int) -> tf.data.Dataset:
    """Every validation patch of one set, in order; arguments as above."""
    return eval_dataset(
        section.records,
        "validation",
        image_size=image_size,
        batch_size=section.fit.batch_size,
        labeler=_labeler(section, "validation", seed),
    )


def class_weight(section: Section) -> dict[int, float] | None:
    """Label -> factor of its loss; None: every class counts the same."""
    # A subset has as many of each class.
    if not section.fit.balance or _subset(section)["subset"] is not None:
        return None
    counts = read_manifest(section.records).counts["train"]
    total = sum(counts.values())
    return {
        label: total / (len(section.classes) * counts[name])
        for label, name in enumerate(section.classes)
    }


def count_steps(section: Section) -> int:
    """Updates in an epoch on one set.

    Raises:
        InputError: there is not one full batch.
    """
    return steps_per_epoch(
        section.records,
        "train",
        section.fit.batch_size,
        subset=_subset(section)["subset"],
        min_steps=section.fit.min_steps,
    )


def with_updates_of_mid(config: ExperimentConfig) -> TargetConfig:
    """The target section with the updates of a t=1 on top, in whole epochs.

    Args:
        config: of a run whose ``mid`` is not null.
    """
    target, mid = config.target, config.mid
    assert mid is not None
    updates = mid.fit.epochs * count_steps(mid)
    epochs = target.fit.epochs + math.ceil(updates / count_steps(target))
    return replace(target, fit=replace(target.fit, epochs=epochs))


def _subset(section: Section) -> dict[str, Any]:
    if isinstance(section, TargetConfig):
        return {"subset": section.subset, "subset_seed": section.subset_seed}
    return {"subset": None, "subset_seed": 0}


def _labeler(section: Section, split: str, seed: int) -> Labeler | None:
    if isinstance(section, MidConfig) and section.variant == "shuffled_labels":
        return shuffle_labels(section.records, split, seed=seed)
    return None
