"""The patches that a stage is fitted and validated on, as its config asks for them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import tensorflow as tf

from gastric_keras.config.experiment import ExperimentConfig, MidConfig, TargetConfig
from gastric_keras.config.mid import ContrastConfig
from gastric_keras.data.batch_part import WHOLE, BatchPart
from gastric_keras.data.contrast import paired_batches, paired_validation
from gastric_keras.data.label_shuffle import shuffle_labels
from gastric_keras.data.pipeline import (
    batch_keys,
    eval_dataset,
    steps_per_epoch,
    train_dataset,
)
from gastric_keras.data.selection import Selection
from gastric_keras.records.subsets import cut_splits

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


def training_data(
    section: Section,
    *,
    seed: int,
    image_size: int,
    extra_steps: int = 0,
    part: BatchPart = WHOLE,
) -> TrainingData:
    """The training patches of one set.

    Args:
        section: of the config.
        seed: of order, augmentation and shuffled labels.
        image_size: side in px.
        extra_steps: updates an epoch on top of the section's own.
        part: rows of each batch that this process makes.
    """
    fit, selection = section.fit, _labeled(section, "train", seed=seed)
    steps = count_steps(section) + extra_steps
    batches = functools.partial(
        _batches,
        section,
        selection,
        steps=steps,
        seed=seed,
        image_size=image_size,
        part=part,
    )
    return TrainingData(
        # Built once: the fit and the picture of its first batch take the same.
        batches=functools.cache(batches),
        plain=lambda: eval_dataset(
            selection, image_size=image_size, batch_size=fit.batch_size
        ),
        keys=lambda number: batch_keys(
            selection,
            number=number,
            batch_size=fit.batch_size,
            seed=seed,
            shuffle_buffer=fit.shuffle_buffer,
        ),
        steps_per_epoch=steps,
    )


def _batches(
    section: Section,
    selection: Selection,
    start: int,
    *,
    steps: int,
    seed: int,
    image_size: int,
    part: BatchPart,
) -> tf.data.Dataset:
    """The batches from epoch ``start`` on, of so many steps an epoch."""
    fit, contrast = section.fit, contrast_of(section)
    one_pass = steps_per_epoch(selection, fit.batch_size)
    # An epoch may end in the middle of a pass: the passes go on behind it.
    first, rest = divmod(start * steps, one_pass)
    passes = train_dataset(
        selection,
        image_size=image_size,
        batch_size=fit.batch_size,
        epochs=math.ceil(fit.epochs * steps / one_pass),
        initial_epoch=first,
        seed=seed,
        augment_config=None if contrast else section.augment,
        shuffle_buffer=fit.shuffle_buffer,
        part=part,
    )
    found = passes.skip(rest).take((fit.epochs - start) * steps)
    if contrast is None:
        return found
    return paired_batches(
        found,
        section.augment,
        crop=contrast.crop,
        seed=seed,
        first=start * steps,
        part=part,
    ).prefetch(tf.data.AUTOTUNE)


def validation_data(section: Section, *, seed: int, image_size: int) -> tf.data.Dataset:
    """Every validation patch of one set, in order; arguments as above."""
    patches = eval_dataset(
        _labeled(section, "validation", seed=seed),
        image_size=image_size,
        batch_size=section.fit.batch_size,
    )
    contrast = contrast_of(section)
    if contrast is None:
        return patches
    return paired_validation(patches, section.augment, crop=contrast.crop, seed=seed)


def contrast_of(section: Section) -> ContrastConfig | None:
    """How pairs of views are made; None: the section learns what records hold."""
    if not isinstance(section, MidConfig) or section.task != "self_supervised":
        return None
    return section.contrast or ContrastConfig()


def class_weight(section: Section) -> dict[int, float] | None:
    """Label -> factor of its loss; None: every class counts the same."""
    patches = patches_of(section)
    # A subset of patches has as many of each class; one of cases has not.
    is_even = isinstance(patches.subset, str | int)
    has_classes = isinstance(section, TargetConfig) or section.task in (
        "classes",
        "shares",
    )
    if not section.fit.balance or is_even or not has_classes:
        return None
    counts = patches.class_counts()
    total = sum(counts.values())
    return {
        label: total / (len(section.classes) * counts[name])
        for label, name in enumerate(section.classes)
    }


def count_steps(section: Section) -> int:
    """Updates in an epoch: one pass over the set, of two sets over the longer one.

    Raises:
        InputError: there is not one full batch.
    """
    if isinstance(section, MidConfig) and section.second is not None:
        return max(map(count_steps, section.parts))
    fit = section.fit
    return steps_per_epoch(patches_of(section), fit.batch_size, min_steps=fit.min_steps)


def extra_steps(config: ExperimentConfig) -> int:
    """Updates an epoch at t=2 that make up for a t=1 that is left out; 0: there is one.

    More steps, not more epochs: the validation split is looked at as often, and the
    schedule of the learning rate has the same form.

    Args:
        config: of a run.
    """
    mid = config.mid
    if mid is None or mid.has_stage:
        return 0
    return math.ceil(mid.fit.epochs * count_steps(mid) / config.target.fit.epochs)


def patches_of(section: Section, split: str = "train") -> Selection:
    """Patches of a split that a run uses, by the labels of their records.

    Args:
        section: of the config.
        split: train, cut to the subset; validation, cut to as many cases where the
            subset is one of cases; or test.
    """
    if isinstance(section, TargetConfig) and split in cut_splits(section.subset):
        return Selection(section.records, split, section.subset, section.subset_seed)
    return Selection(section.records, split)


def _labeled(section: Section, split: str, *, seed: int) -> Selection:
    """The same, with what the task and the variant make the network learn of them."""
    patches = patches_of(section, split)
    if isinstance(section, MidConfig) and section.task in ("shares", "measures"):
        return replace(patches, answer="quantities")
    if isinstance(section, MidConfig) and section.variant == "shuffled_labels":
        labeler = shuffle_labels(section.records, split, seed=seed)
        return replace(patches, labeler=labeler)
    return patches
