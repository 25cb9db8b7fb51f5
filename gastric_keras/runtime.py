"""Where a run is computed: seeds, determinism, devices, precision."""

from __future__ import annotations

import keras
import tensorflow as tf

from gastric_keras.config import RuntimeConfig
from gastric_keras.errors import InputError


def set_up(config: RuntimeConfig, seed: int) -> None:
    """Set the process-wide state that a stage starts from.

    Args:
        config: precision and determinism.
        seed: of Python, NumPy and TensorFlow.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        _grow_memory(gpu)
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(config.precision)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def build_strategy(devices: tuple[str, ...] | None = None) -> tf.distribute.Strategy:
    """The strategy to train under.

    Args:
        devices: TensorFlow device names; None: every GPU that is there.

    Returns:
        A MirroredStrategy over the devices, whether one or many; TensorFlow's
        default strategy where there is no GPU and no device is named.

    Raises:
        InputError: a named device is not there.
    """
    found = [
        f"{device.device_type}:{device.name.rsplit(':', 1)[1]}"
        for device in tf.config.list_logical_devices()
    ]
    if devices is None:
        devices = tuple(name for name in found if name.startswith("GPU"))
    missing = [name for name in devices if name not in found]
    if missing:
        raise InputError(
            f"Devices out of {', '.join(found)} were expected. "
            f"Received: runtime.devices={list(devices)}. Name those, or null for all "
            "GPUs; --stage doctor lists them."
        )
    if not devices:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(list(devices))


def _grow_memory(gpu: tf.config.PhysicalDevice) -> None:
    try:
        tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        # The GPU was opened by an earlier stage of this process, already growing.
        pass
