"""A SavedModel that turns patches into vectors, run on the splits of a set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from gastric_keras.config.baselines import SavedModelConfig
from gastric_keras.data.pipeline import eval_dataset
from gastric_keras.evaluation.baselines.feature_table import FeatureTable
from gastric_keras.models.inference import predict
from gastric_keras.records.manifest import MANIFEST_NAME
from gastric_keras.runs.predictions import KEYS
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import sha256_of

#: Patches at a time, where the signature leaves it open.
BATCH = 32
_HELP = "saved_model_cli show --dir PATH --all lists signatures, inputs and outputs."


@dataclass(frozen=True)
class Embedding:
    """A loaded SavedModel.

    Attributes:
        name: in the config.
        size: side of the patches that it takes, px.
        batch: patches at a time.
        forward: (n ≤ batch, size, size, 3) uint8 -> (n, length) float32.
    """

    name: str
    size: int
    batch: int
    forward: Callable[[tf.Tensor], tf.Tensor]

    def table(self, records: str, split: str) -> FeatureTable:
        """The vectors of a split, in the order of the records.

        Args:
            records: folder of the set.
            split: train, validation or test.

        Raises:
            InputError: the model fails, or its answer is no finite vector a patch.
        """
        dataset = eval_dataset(
            records, split, image_size=self.size, batch_size=self.batch
        )
        columns = predict(self.forward, dataset)
        for name in ("case_id", "image_id"):
            columns[name] = columns[name].astype(str)
        vectors = columns["probability"]
        return FeatureTable(
            **{k: columns[k] for k in KEYS}, features={self.name: vectors}
        )


def model_sha256(config: SavedModelConfig) -> str:
    """SHA-256 over names and bytes of a SavedModel's files.

    Raises:
        InputError: the path is no SavedModel.
    """
    folder = Path(config.path)
    if not (folder / "saved_model.pb").is_file():
        inner = sorted(path.parent for path in folder.glob("*/saved_model.pb"))
        hint = f"Name {inner[-1]}." if inner else "Check the path."
        raise InputError(
            "path must be the folder of a SavedModel, with saved_model.pb in it, got "
            f"{config.path}. {hint}"
        )
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    parts = [f"{path.relative_to(folder)}:{sha256_of(path)}" for path in files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def embedding_digest(records: str, config: SavedModelConfig) -> str:
    """What the vectors of a set depend on, sixteen hexadecimal digits."""
    parts = [
        sha256_of(Path(records) / MANIFEST_NAME),
        model_sha256(config),
        config.signature,
        str(config.output),
        str(config.image_size),
        str(config.input_range),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def load_embedding(name: str, config: SavedModelConfig) -> Embedding:
    """Load a SavedModel and check that it turns RGB patches into vectors.

    Args:
        name: in the config.
        config: of the SavedModel.

    Raises:
        InputError: no SavedModel, one that TensorFlow cannot load, no such signature
            or output, or one that takes no pixels or gives no vectors.
    """
    model = _load(config)
    signature = _signature(model, config)
    key, takes = _input(signature, config)
    output = _output(signature, config)
    size = _image_size(takes, config)
    scale = _scale(takes, config)
    batch = takes.shape[0] if takes.shape.rank else None

    def forward(patches: tf.Tensor) -> tf.Tensor:
        n = patches.shape[0]
        if batch:
            # A signature of a fixed batch gets its fill of empty patches.
            patches = tf.pad(patches, [[0, batch - n], [0, 0], [0, 0], [0, 0]])
        try:
            vectors = signature(**{key: scale(patches)})[output]
        except tf.errors.OpError as error:
            words = " ".join(str(error).split())[:200]
            raise InputError(
                "A SavedModel must answer to patches of its own signature, got "
                f"path={config.path} ({words}). Check image_size. {_HELP}"
            ) from error
        return _checked(vectors, n, batch or n, config)

    # The functions of a SavedModel hold its variables weakly only.
    forward.model = model  # type: ignore[attr-defined]
    return Embedding(name, size, batch or BATCH, forward)


# Of any SavedModel.
def _load(config: SavedModelConfig) -> Any:
    try:
        return tf.saved_model.load(config.path)
    except Exception as error:
        # TensorFlow fails in a dozen ways on damaged files.
        raise InputError(
            "path must be a SavedModel that TensorFlow can load, got "
            f"{config.path} ({type(error).__name__}: {str(error)[:200]}). Copy it "
            "again."
        ) from error


def _signature(model: Any, config: SavedModelConfig) -> Any:
    known = sorted(getattr(model, "signatures", {}))
    require(
        config.signature in known,
        "signature must be one of the SavedModel's: "
        f"{', '.join(known) or 'it has none'}",
        f"Name one of them; the model is {config.path}.",
        signature=config.signature,
    )
    return model.signatures[config.signature]


def _input(signature: Any, config: SavedModelConfig) -> tuple[str, tf.TensorSpec]:
    """Name and specification of the one input, which takes pixels."""
    inputs = signature.structured_input_signature[1]
    require(
        len(inputs) == 1,
        "The signature must have one input, the patches",
        f"Name another signature. {_HELP}",
        path=config.path,
        inputs=sorted(inputs),
    )
    [(key, takes)] = inputs.items()
    shape = takes.shape.as_list() if takes.shape.rank is not None else None
    require(
        (takes.dtype == tf.uint8 or takes.dtype.is_floating)
        and (shape is None or (len(shape) == 4 and shape[3] in (3, None))),
        "The signature must take RGB patches (n, height, width, 3), uint8 or floating",
        f"Name another signature, or export the model with one. {_HELP}",
        path=config.path,
        dtype=takes.dtype.name,
        shape=shape,
    )
    return key, takes


def _output(signature: Any, config: SavedModelConfig) -> str:
    gives = signature.structured_outputs
    name = config.output
    if name is None and len(gives) == 1:
        name = next(iter(gives))
    require(
        name in gives,
        f"output must be one of the signature's: {', '.join(sorted(gives))}",
        f"Set it to the one that is the vector of a patch; the model is {config.path}.",
        output=name,
    )
    assert name is not None, "it is among the outputs"
    vector = gives[name]
    require(
        vector.dtype.is_floating and vector.shape.rank in (2, None),
        "The output must be one vector a patch, floating, shape (n, length)",
        "Name another output, or export the model with its feature maps pooled.",
        path=config.path,
        output=name,
        dtype=vector.dtype.name,
        shape=None if vector.shape.rank is None else vector.shape.as_list(),
    )
    return name


def _image_size(takes: tf.TensorSpec, config: SavedModelConfig) -> int:
    sides = takes.shape[1:3].as_list() if takes.shape.rank else []
    known = sorted({side for side in sides if side is not None})
    size = config.image_size or (known[0] if known else None)
    spelled = " and ".join(map(str, known))
    rule = f"image_size must be {spelled}, as the signature says"
    if not known:
        rule = "image_size must be given, because the signature leaves it open"
    require(
        size is not None and known in ([], [size]),
        rule,
        "Patches are square; 224 is usual.",
        path=config.path,
        image_size=config.image_size,
    )
    assert size is not None, "it is required"
    return size


def _scale(
    takes: tf.TensorSpec, config: SavedModelConfig
) -> Callable[[tf.Tensor], tf.Tensor]:
    """uint8 to what the signature takes."""
    given = None if config.input_range is None else list(config.input_range)
    if takes.dtype == tf.uint8:
        require(
            given in (None, [0, 255]),
            "input_range must be null or [0, 255] with a signature that takes uint8",
            "Leave it out: the patches go in as they are.",
            input_range=given,
        )
        return lambda patches: patches
    require(
        given is not None,
        f"input_range must be given, because the signature takes {takes.dtype.name}",
        "Take [0, 1], [0, 255] or [-1, 1], as the publisher of the model says.",
        input_range=given,
    )
    assert given is not None, "it is required"
    low, high = given
    return lambda patches: tf.cast(
        low + tf.cast(patches, tf.float32) * ((high - low) / 255), takes.dtype
    )


def _checked(
    vectors: tf.Tensor, n: int, batch: int, config: SavedModelConfig
) -> tf.Tensor:
    require(
        len(vectors.shape) == 2 and vectors.shape[0] == batch and vectors.shape[1] > 0,
        f"The SavedModel must give (n, length), one vector for each of {batch} patches",
        "Name another output, or export the model with its feature maps pooled.",
        path=config.path,
        shape=tuple(vectors.shape),
    )
    vectors = tf.cast(vectors[:n], tf.float32)
    is_finite = tf.reduce_all(tf.math.is_finite(vectors), axis=1).numpy()
    require(
        is_finite.all(),
        "The SavedModel must give finite numbers",
        "Check input_range and the model's own precision.",
        path=config.path,
        with_nan_or_inf=f"{int((~is_finite).sum())} of {n} patches",
    )
    return vectors
