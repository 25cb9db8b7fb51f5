"""SavedModels that give no vector a patch, and settings that do not fit them."""

from __future__ import annotations

import functools
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.kinds import Kind
from tests.faults.mutations import spoil_bytes
from tests.faults.record_sets import sound_set

_SIZE = 16


def _moments(patches: Any) -> dict[str, Any]:
    from tests.helpers.small_embeddings import moments

    return moments(patches)


def _map(patches: Any) -> dict[str, Any]:
    return {"map": patches}


def _one_number(patches: Any) -> dict[str, Any]:
    return {"number": _moments(patches)["embedding"][:, 0]}


def _no_numbers(patches: Any) -> dict[str, Any]:
    return {"empty": _moments(patches)["embedding"][:, :0]}


def _fewer(patches: Any) -> dict[str, Any]:
    return {"fewer": _moments(patches)["embedding"][:1]}


def _nan(patches: Any) -> dict[str, Any]:
    return {"nan": _moments(patches)["embedding"] * float("nan")}


def _two(patches: Any) -> dict[str, Any]:
    return _moments(patches) | {"other": _moments(patches)["embedding"]}


def _fails(patches: Any) -> dict[str, Any]:
    import tensorflow as tf

    with tf.control_dependencies([tf.debugging.Assert(False, ["planted"])]):
        return _moments(tf.identity(patches))


_SQUARE = (None, _SIZE, _SIZE, 3)
_FLOAT = {"input_range": (0.0, 1.0)}

#: Name -> (answer, dtype, shape, what the config says, what must come of it).
_ODD: dict[str, tuple[Callable[[Any], Any], str, tuple | None, dict[str, Any], str]] = {
    "sound float": (_moments, "float32", _SQUARE, _FLOAT, "right"),
    "sound uint8": (_moments, "uint8", _SQUARE, {}, "right"),
    "a fixed batch": (_moments, "uint8", (3, *_SQUARE[1:]), {}, "right"),
    "one of two outputs": (_two, "uint8", _SQUARE, {"output": "other"}, "right"),
    "any size": (
        _moments,
        "uint8",
        (None, None, None, 3),
        {"image_size": _SIZE},
        "right",
    ),
    "no size": (_moments, "uint8", (None, None, None, 3), {}, "refused"),
    "another size": (_moments, "uint8", _SQUARE, {"image_size": 32}, "refused"),
    "oblong": (_moments, "uint8", (None, _SIZE, 9, 3), {}, "refused"),
    "gray": (_moments, "uint8", (None, _SIZE, _SIZE, 1), {}, "refused"),
    "channels first": (_moments, "float32", (None, 3, _SIZE, _SIZE), _FLOAT, "refused"),
    "whole numbers": (_moments, "int32", _SQUARE, _FLOAT, "refused"),
    "no range": (_moments, "float32", _SQUARE, {}, "refused"),
    "a range for uint8": (_moments, "uint8", _SQUARE, _FLOAT, "refused"),
    "no such signature": (_moments, "uint8", _SQUARE, {"signature": "x"}, "refused"),
    "no such output": (_moments, "uint8", _SQUARE, {"output": "x"}, "refused"),
    "two outputs": (_two, "uint8", _SQUARE, {}, "refused"),
    "a map": (_map, "float32", _SQUARE, _FLOAT, "refused"),
    "one number": (_one_number, "float32", _SQUARE, _FLOAT, "refused"),
    "no numbers": (_no_numbers, "float32", _SQUARE, _FLOAT, "refused"),
    "fewer vectors": (_fewer, "float32", _SQUARE, _FLOAT, "refused"),
    "NaN": (_nan, "float32", _SQUARE, _FLOAT, "refused"),
    "an answer that fails": (_fails, "float32", _SQUARE, _FLOAT, "refused"),
}
_FILES = ("damaged", "a folder above", "a file", "nothing")


@functools.cache
def _write_model(name: str) -> Path:
    from tests.helpers.small_embeddings import write_embedding

    answer, dtype, shape, _, _ = _ODD[name]
    folder = Path(tempfile.mkdtemp(prefix="faults-embedding-")) / "1"
    return write_embedding(folder, answer, dtype=dtype, shape=shape)


def write(rng: random.Random, folder: Path) -> str:
    """Draw a model, or a fault of its files."""
    name = rng.choice([*_ODD, *_FILES, "damaged"])
    model = name if name in _ODD else "sound uint8"
    told = {"path": "model"} | _ODD[model][3]
    must = _ODD[model][4] if name in _ODD else "refused"
    shutil.copytree(_write_model(model), folder / "model")
    if name == "damaged":
        path = folder / "model" / rng.choice(["saved_model.pb", *_variables(folder)])
        path.write_bytes(spoil_bytes(rng, path.read_bytes()))
        must = "either"
    elif name == "a folder above":
        told["path"] = "."
    elif name == "a file":
        told["path"] = "model/saved_model.pb"
    elif name == "nothing":
        told["path"] = "none"
    (folder / "truth.json").write_text(json.dumps({"must": must, "told": told}))
    return name


def _variables(folder: Path) -> list[str]:
    files = sorted((folder / "model" / "variables").iterdir())
    return [f"variables/{path.name}" for path in files]


def read(folder: Path) -> None:
    """Load it and run it over a split, as stage baselines does."""
    import numpy as np

    from gastric_keras.config.baselines import SavedModelConfig
    from gastric_keras.evaluation.baselines.embeddings import (
        embedding_digest,
        load_embedding,
    )
    from gastric_keras.support import config_io
    from gastric_keras.support.errors import InputError

    truth = json.loads((folder / "truth.json").read_text())
    told = truth["told"] | {"path": str(folder / truth["told"]["path"])}
    records = str(sound_set())
    try:
        config = config_io.build(SavedModelConfig, told)
        embedding_digest(records, config)
        table = load_embedding("lab", config).table(records, "train")
    except InputError as error:
        assert truth["must"] != "right", f"refused: {error}"
        raise
    assert truth["must"] != "refused", "it was taken"
    vectors = table.features["lab"]
    assert vectors.shape == (len(table.label), 6) and np.isfinite(vectors).all()


KIND = Kind("embeddings", write, read, needs_tensorflow=True)
