"""The three classifiers at sizes that are quick on a CPU."""

from __future__ import annotations

import keras
import numpy as np

from gastric_keras.config.backbones import BACKBONES
from gastric_keras.models.classifier import build_classifier

#: The smallest side, and an oblong above it.
SMALL = {"vgg16": 32, "alexnet": 63, "inception_v3": 75}
OBLONG = {"vgg16": (33, 47), "alexnet": (64, 79), "inception_v3": (76, 91)}


def build_pair() -> dict[str, tuple[keras.Model, keras.Model]]:
    """For each network two classifiers, as two stages have them: of three classes at
    its smallest size, then of two, oblong, with batch normalization let loose."""
    return {
        name: (
            build_classifier(name, 3, image_size=SMALL[name], weights="none"),
            build_classifier(
                name, 2, image_size=OBLONG[name], weights="none", train_batch_norm=True
            ),
        )
        for name in BACKBONES
    }


def draw_patches(n: int, height: int, width: int) -> np.ndarray:
    """(n, height, width, 3) uint8 noise."""
    patches = np.random.default_rng(0).integers(0, 256, (n, height, width, 3))
    return patches.astype(np.uint8)
