"""SavedModels that are whole, but not what the heatmap asks for."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Side of the patches that they take, px.
_SIZE = 8


def _sound(patch: Any) -> dict[str, Any]:
    import tensorflow as tf

    probability = tf.reduce_mean(tf.cast(patch, tf.float32) / 255, axis=(1, 2, 3))
    return {
        "malignant_probability": probability,
        "threshold": tf.fill(tf.shape(probability), 0.5),
        "label": tf.where(probability >= 0.5, "malignant", "benign"),
    }


def _value(key: str, value: float) -> Callable[[Any], dict[str, Any]]:
    """The answer with one output that is a constant."""

    def answer(patch: Any) -> dict[str, Any]:
        import tensorflow as tf

        sound = _sound(patch)
        return sound | {key: tf.fill(tf.shape(sound[key]), value)}

    return answer


def _without(key: str) -> Callable[[Any], dict[str, Any]]:
    def answer(patch: Any) -> dict[str, Any]:
        return {name: value for name, value in _sound(patch).items() if name != key}

    return answer


def _three_classes(patch: Any) -> dict[str, Any]:
    sound = _sound(patch)
    return sound | {"normal_probability": sound["malignant_probability"]}


def _columns(patch: Any) -> dict[str, Any]:
    import tensorflow as tf

    sound = _sound(patch)
    both = tf.stack([sound["malignant_probability"]] * 2, axis=1)
    return sound | {"malignant_probability": both}


def _fewer(patch: Any) -> dict[str, Any]:
    return {name: value[:1] for name, value in _sound(patch).items()}


def _bytes(patch: Any) -> dict[str, Any]:
    import tensorflow as tf

    sound = _sound(patch)
    return sound | {"label": tf.fill(tf.shape(sound["label"]), b"\xff\xfe")}


def _fails(patch: Any) -> dict[str, Any]:
    import tensorflow as tf

    with tf.control_dependencies([tf.debugging.Assert(False, ["planted"])]):
        return _sound(tf.identity(patch))


#: Name -> (answer, dtype, shape of a patch, signature).
ODD: dict[str, tuple[Callable[[Any], dict[str, Any]], str, tuple, str]] = {
    name: (answer, "uint8", (_SIZE, _SIZE, 3), "predict_array")
    for name, answer in {
        "threshold NaN": _value("threshold", float("nan")),
        "threshold 1.7": _value("threshold", 1.7),
        "probability NaN": _value("malignant_probability", float("nan")),
        "probability 1.7": _value("malignant_probability", 1.7),
        "probability -1": _value("malignant_probability", -1.0),
        "no probability": _without("malignant_probability"),
        "no threshold": _without("threshold"),
        "no label": _without("label"),
        "three classes": _three_classes,
        "two columns": _columns,
        "fewer answers": _fewer,
        "labels of no text": _bytes,
        "labels of no class": _value("label", "other"),  # type: ignore[arg-type]
        "an answer that fails": _fails,
    }.items()
} | {
    "floating patches": (_sound, "float32", (_SIZE, _SIZE, 3), "predict_array"),
    "oblong patches": (_sound, "uint8", (_SIZE, 9, 3), "predict_array"),
    "gray patches": (_sound, "uint8", (_SIZE, _SIZE, 1), "predict_array"),
    "patches of no size": (_sound, "uint8", (None, None, 3), "predict_array"),
    "flat patches": (_sound, "uint8", (_SIZE, 3), "predict_array"),
    "another signature": (_sound, "uint8", (_SIZE, _SIZE, 3), "serving_default"),
}


@functools.cache
def write_odd_model(name: str) -> Path:
    """Export one of ODD, once a worker."""
    import tensorflow as tf

    answer, dtype, shape, signature = ODD[name]
    module = tf.Module()
    spec = tf.TensorSpec((None, *shape), getattr(tf, dtype), "patch")
    if len(shape) < 3:
        answer = _flat
    function = tf.function(answer, input_signature=[spec])
    folder = Path(tempfile.mkdtemp(prefix="faults-odd-")) / "1"
    tf.saved_model.save(module, str(folder), signatures={signature: function})
    return folder


def _flat(patch: Any) -> dict[str, Any]:
    return _sound(patch[..., None])
