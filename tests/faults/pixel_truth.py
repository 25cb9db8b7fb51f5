"""What the families of pixels share: noise, and what a person sees of it."""

from __future__ import annotations

import io
import random

import numpy as np
from PIL import Image

#: Side of all pictures, px: that of the smallest AlexNet, so that none is resized.
SIDE = 63
#: Bytes, the pixels that are right (None: it must be refused), and the note that must
#: be made ("": none).
Member = tuple[bytes, np.ndarray | None, str]
#: Byte orders, as struct spells them.
ORDERS = ("<", ">")


def noise(rng: random.Random, *channels: int, most: int = 255) -> np.ndarray:
    """Smooth enough for JPEG, with all levels, of a tint of its own."""
    values = np.random.default_rng(rng.randrange(2**32))
    # No channel so dark that the picture counts as black.
    tint = 0.15 + 0.85 * values.random(channels or (1,))
    coarse = values.random((9, 9, *channels)) * tint
    fine = np.kron(coarse, np.ones((7, 7) + (1,) * len(channels)))
    fine = 0.9 * fine.reshape(SIDE, SIDE, *channels) + 0.1 * values.random(fine.shape)
    fine.flat[0], fine.flat[-1] = 0.0, 1.0
    return np.rint(fine * most).astype(np.uint16 if most > 255 else np.uint8)


def gray_of(values: np.ndarray) -> np.ndarray:
    return np.repeat(values.reshape(SIDE, SIDE, 1), 3, axis=2).astype(np.uint8)


def laid(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha.reshape(SIDE, SIDE, 1) / 255
    return np.rint(rgb * share + 255 * (1 - share)).astype(np.uint8)


def seen(data: bytes) -> np.ndarray:
    """Of a JPEG, by libjpeg."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
