"""tensorflow-io, where its native operations load."""

from __future__ import annotations

import functools
import warnings
from types import ModuleType


@functools.cache
def find_tensorflow_io() -> tuple[ModuleType | None, str]:
    """tensorflow-io if it can decode, and else the reason why not.

    On a TensorFlow that it was not built for (2.18 and newer), it imports with a mere
    warning and fails at the first call: so one is made.
    """
    import cv2
    import numpy as np

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
