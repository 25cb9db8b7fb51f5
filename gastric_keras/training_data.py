"""The training patches of a stage, and how much each class weighs."""

from __future__ import annotations

from typing import Any

from gastric_keras.config import MidConfig, TargetConfig
from gastric_keras.input_pipeline import (
    batch_keys,
    eval_dataset,
    steps_per_epoch,
    train_dataset,
)
from gastric_keras.train import TrainingData


def class_weights(counts: dict[str, int], classes: tuple[str, ...]) -> dict[int, float]:
    """Factor of each label's loss: inverse frequency, 1 on average over the patches.

    Args:
        counts: class -> number of patches.
        classes: names, in label order.
    """
    total = sum(counts.values())
    return {
        label: total / (len(classes) * counts[name])
        for label, name in enumerate(classes)
    }


def build_training_data(
    section: MidConfig | TargetConfig, *, seed: int, image_size: int
) -> TrainingData:
    """What a stage is fitted on.

    Args:
        section: of the stage.
        seed: of order and augmentation.
        image_size: side in px.
    """
    subset = section.subset if isinstance(section, TargetConfig) else None
    which: dict[str, Any] = {
        "subset": subset,
        "subset_seed": section.subset_seed if isinstance(section, TargetConfig) else 0,
    }
    folder = section.records
    batch_size, min_steps = section.fit.batch_size, section.fit.min_steps
    order: dict[str, Any] = {
        "batch_size": batch_size,
        "seed": seed,
        "shuffle_buffer": section.fit.shuffle_buffer,
    } | which
    return TrainingData(
        batches=lambda start: train_dataset(
            folder,
            image_size=image_size,
            epochs=section.fit.epochs,
            initial_epoch=start,
            augment_config=section.augment,
            min_steps=min_steps,
            **order,
        ),
        plain=lambda: eval_dataset(
            folder, "train", image_size=image_size, batch_size=batch_size, **which
        ),
        keys=lambda number: batch_keys(folder, number=number, **order),
        steps_per_epoch=steps_per_epoch(
            folder, "train", batch_size, subset=subset, min_steps=min_steps
        ),
    )
