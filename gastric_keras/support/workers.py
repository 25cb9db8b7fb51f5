"""Which of several processes this one is, as TF_CONFIG tells it; without TensorFlow."""

from __future__ import annotations

import json
import os

from gastric_keras.support.errors import InputError


def is_chief() -> bool:
    """Whether this process writes the run's files: it is alone, or the first worker."""
    return read_workers()[1] == 0


def read_workers() -> tuple[int, int]:
    """Number of workers that TF_CONFIG names, and the place of this one from 0.

    Returns:
        (1, 0) without TF_CONFIG.

    Raises:
        InputError: TF_CONFIG cannot be read.
    """
    text = os.environ.get("TF_CONFIG")
    if not text:
        return 1, 0
    try:
        tree = json.loads(text)
        workers = len(tree["cluster"]["worker"])
        place = int(tree["task"]["index"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            'TF_CONFIG must look like {"cluster": {"worker": ["host0:2222", '
            '"host1:2222"]}, "task": {"type": "worker", "index": 0}}, got '
            f"{text!r} ({type(error).__name__}: {error}). Fix it, or unset it to train "
            "on one machine."
        ) from error
    return workers, place
