"""TensorBoard's event files: what tf.summary lacks of writing them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.image.metadata import create_summary_metadata

#: How tf.summary begins the name of a file that it writes.
PATTERN = "events.out.tfevents.*"


def write_png(tag: str, png: bytes, *, step: int, description: str = "") -> None:
    """Write a picture to the current summary writer, as it is.

    ``tf.summary.image`` would take the pixels and compress them once more.

    Args:
        tag: of the picture.
        png: the file.
        step: epoch on TensorBoard's axis.
        description: Markdown, shown beside the picture.
    """
    with Image.open(io.BytesIO(png)) as image:
        width, height = image.size
    tf.summary.write(
        tag,
        tf.constant([str(width).encode(), str(height).encode(), png]),
        step=step,
        metadata=create_summary_metadata(display_name=None, description=description),
    )


def cut_back(folder: Path, last_step: int) -> None:
    """Remove the events after a step from the event files of a folder.

    A fit that goes on after its last whole epoch writes the epochs behind it again:
    without this each of their points would stand twice.

    Args:
        folder: may be missing; folders inside it are left alone.
        last_step: the last one that stays.
    """
    for path in sorted(folder.glob(PATTERN)):
        kept = [
            event
            for event in _read_events(path)
            if Event.FromString(event).step <= last_step
        ]
        # The first one tells the version of the file.
        if len(kept) < 2:
            path.unlink()
            continue
        # Not a name that TensorBoard reads.
        partial = path.with_name("partial.events")
        with tf.io.TFRecordWriter(str(partial)) as writer:
            for event in kept:
                writer.write(event)
        os.replace(partial, path)


def _read_events(path: Path) -> Iterator[bytes]:
    """Serialized events, up to where a kill cut the file short."""
    try:
        yield from tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    except tf.errors.DataLossError:
        return
