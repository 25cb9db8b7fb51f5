"""Where a run is computed: seeds, determinism, devices, precision."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import keras
import tensorflow as tf

from gastric_keras.config.experiment import RuntimeConfig
from gastric_keras.data.batch_part import BatchPart
from gastric_keras.support import workers as cluster
from gastric_keras.support.devices import find_device
from gastric_keras.support.errors import InputError, require
from gastric_keras.training import keras_faults


def set_up(config: RuntimeConfig, seed: int) -> None:
    """Set the process-wide state that a stage starts from.

    Args:
        config: precision and determinism.
        seed: of Python, NumPy and TensorFlow.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        _grow_memory(gpu)
    keras.utils.set_random_seed(seed)
    precision: str = config.precision
    if precision == "auto":
        # Of a config that no command settled.
        precision = find_device(config.devices).precisions[0]
    keras.config.set_dtype_policy(precision)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


@cache
def build_strategy(devices: tuple[str, ...] | None = None) -> tf.distribute.Strategy:
    """The strategy to train under; the same one each time that a process asks.

    Args:
        devices: TensorFlow device names; None: every GPU found.

    Returns:
        A MultiWorkerMirroredStrategy where TF_CONFIG names several workers; otherwise a
        MirroredStrategy over the devices, whether one or many; TensorFlow's default
        strategy where there is no GPU and no device is named.

    Raises:
        InputError: a named device is not there, or TF_CONFIG cannot be read.
    """
    if cluster.read_workers()[0] > 1:
        require(
            devices is None,
            "devices must be null where TF_CONFIG names several workers",
            "Each worker uses all its GPUs; CUDA_VISIBLE_DEVICES narrows them.",
            devices=devices,
        )
        return tf.distribute.MultiWorkerMirroredStrategy()
    found = [
        f"{device.device_type}:{device.name.rsplit(':', 1)[1]}"
        for device in tf.config.list_logical_devices()
    ]
    if devices is None:
        devices = tuple(name for name in found if name.startswith("GPU"))
    missing = [name for name in devices if name not in found]
    if missing:
        raise InputError(
            f"runtime.devices must be among {', '.join(found)}, got {list(devices)}. "
            "Name those, or null for all GPUs; --stage doctor lists them."
        )
    if not devices:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(list(devices))


def batch_part() -> BatchPart:
    """The rows of each batch that this worker makes: all of them where it is alone."""
    workers, place = cluster.read_workers()
    return BatchPart(place, workers)


def distribute(
    strategy: tf.distribute.Strategy,
    model: keras.Model,
    dataset: tf.data.Dataset,
    class_weight: dict[int, float] | None = None,
) -> dict[str, Any]:
    """Make training batches fit for ``model.fit`` under a strategy.

    Args:
        strategy: that the model was built under.
        model: compiled; under several workers its state is built here.
        dataset: of (images, labels): the whole batches, or under several workers the
            rows of this one, see :func:`batch_part`.
        class_weight: label -> factor of its loss; None: all 1.

    Returns:
        ``x`` and ``class_weight`` of ``model.fit``.
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return {"x": dataset, "class_weight": class_weight}
    keras_faults.prepare_for_workers(strategy, model, dataset)
    if class_weight is not None:
        # Keras weighs plain datasets only.
        dataset = dataset.map(partial(_weigh, class_weight))
    replicas = strategy.num_replicas_in_sync // batch_part().workers
    if replicas > 1:
        rows = dataset.element_spec[0].shape[0]
        dataset = dataset.rebatch(rows // replicas, drop_remainder=True)
    # Not experimental_distribute_dataset, which lets each worker read and make every
    # batch and throw the rows of the others away.
    return {"x": strategy.distribute_datasets_from_function(lambda _: dataset)}


def _weigh(
    class_weight: dict[int, float], images: tf.Tensor, labels: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    weights = tf.constant([class_weight[label] for label in sorted(class_weight)])
    # A patch of shares counts as the class with most of it, as in Keras.
    label = tf.argmax(labels, axis=-1) if labels.shape.rank == 2 else labels
    return images, labels, tf.gather(weights, label)


def agree(
    strategy: tf.distribute.Strategy, number: int, what: str, *, path: object
) -> None:
    """Wait for all workers, and check that they have the same number.

    Args:
        strategy: under anything but several workers nothing happens.
        number: that all must have.
        what: it is, for the message.
        path: of the run folder, which all must see.

    Raises:
        InputError: another worker has another number.
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return

    @tf.function
    def highest_and_lowest() -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        values = tf.constant([[number, -number]])
        return tf.reduce_max(context.all_gather(values, axis=0), axis=0)

    result = strategy.run(highest_and_lowest)
    high, low = strategy.experimental_local_results(result)[0].numpy() * (1, -1)
    require(
        high == low,
        f"Every worker must have the same number of {what}",
        "All workers must see one run folder: put runtime.output on a shared disk.",
        here=number,
        highest=int(high),
        lowest=int(low),
        path=str(path),
    )


def _grow_memory(gpu: tf.config.PhysicalDevice) -> None:
    try:
        tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        # The GPU was opened by an earlier stage of this process, already growing.
        pass
