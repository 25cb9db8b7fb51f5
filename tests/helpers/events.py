"""TensorBoard's event files, read event by event: nothing is merged or purged."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.util import tensor_util

from gastric_keras.training.tensorboard import PATTERN


def read_events(folder: Path) -> dict[str, list[tuple[int, object]]]:
    """Tag -> (step, value) of every event in a folder's files, in their order."""
    found = defaultdict(list)
    for path in sorted(folder.glob(PATTERN)):
        for raw in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = Event.FromString(raw)
            for value in event.summary.value:
                content = tensor_util.make_ndarray(value.tensor)
                found[value.tag].append((event.step, content))
    return dict(found)


def read_steps(folder: Path) -> dict[str, list[int]]:
    """Tag -> steps, each as often as it was written."""
    return {
        tag: [step for step, _ in points] for tag, points in read_events(folder).items()
    }
