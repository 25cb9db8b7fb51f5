"""Warm-up requests, which TF Serving sends to a model before it opens to clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

#: Where TF Serving looks, in the folder of a version.
WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"

#: Field numbers of tensorflow_serving/apis: prediction_log, predict, model .proto.
_PREDICT_LOG, _REQUEST = 6, 1
_MODEL_SPEC, _INPUTS = 1, 2
_SIGNATURE_NAME = 3
_KEY, _VALUE = 1, 2


def write_warmup(
    folder: Path, requests: Sequence[tuple[str, Mapping[str, np.ndarray]]]
) -> None:
    """Write warm-up requests as a TFRecord of PredictionLog messages.

    TensorFlow does not include these messages. To write four of their fields,
    tensorflow-serving-api is not needed: each is its tag, its length, its bytes.

    Args:
        folder: of the version.
        requests: name of a signature and its inputs.
    """
    path = folder / WARMUP
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests:
            request = _field(_MODEL_SPEC, _field(_SIGNATURE_NAME, signature.encode()))
            for name, value in inputs.items():
                tensor = tf.make_tensor_proto(value).SerializeToString()
                entry = _field(_KEY, name.encode()) + _field(_VALUE, tensor)
                request += _field(_INPUTS, entry)
            writer.write(_field(_PREDICT_LOG, _field(_REQUEST, request)))


def _field(number: int, content: bytes) -> bytes:
    """A field of wire type 2: https://protobuf.dev/programming-guides/encoding."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes(digits) + bytes([value])
