"""tensorflow-io, where its native operations load."""

from __future__ import annotations

import functools
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt


@functools.cache
def find_tensorflow_io() -> tuple[ModuleType | None, str]:
    """tensorflow-io if it can decode, and else the reason why not.

    On a TensorFlow that it was not built for (2.18 and newer), it imports with a mere
    warning and fails at the first call: so one is made.
    """
    import cv2

    tiff = cv2.imencode(".tiff", np.zeros((1, 1, 3), np.uint8))[1].tobytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import tensorflow_io as tfio

            tfio.experimental.image.decode_tiff(tiff)
    except Exception as error:
        return None, (str(error).splitlines() or [type(error).__name__])[0]
    return tfio, ""


def tensorflow_io() -> ModuleType:
    """tensorflow-io.

    Raises:
        ImportError: it is not installed, or was built for another TensorFlow.
    """
    module, reason = find_tensorflow_io()
    if module is None:
        raise ImportError(reason)
    return module


def decode_by_libtiff(data: bytes, page: int = 0) -> npt.NDArray[np.uint8]:
    """Decode a TIFF in libtiff's own words.

    tensorflow-io decodes it; where that does not load, OpenCV, which holds the same
    libtiff: both give the same pixels.

    Args:
        data: bytes of the file.
        page: of its pictures.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ValueError: libtiff cannot decode it.
    """
    module, _ = find_tensorflow_io()
    if module is not None:
        pixels = module.experimental.image.decode_tiff(data, page).numpy()
        return np.asarray(pixels[..., :3])
    import cv2

    # OpenCV prints what it cannot read, and then returns nothing. Version 5 keeps the
    # switch elsewhere.
    switch: Any = cv2 if hasattr(cv2, "setLogLevel") else getattr(cv2.utils, "logging")
    level = switch.setLogLevel(0)
    try:
        encoded = np.frombuffer(data, np.uint8)
        found, pages = cv2.imdecodemulti(encoded, cv2.IMREAD_COLOR)
    finally:
        switch.setLogLevel(level)
    if not found or page >= len(pages):
        raise ValueError("a TIFF that libtiff cannot decode")
    return np.asarray(cv2.cvtColor(pages[page], cv2.COLOR_BGR2RGB), np.uint8)
