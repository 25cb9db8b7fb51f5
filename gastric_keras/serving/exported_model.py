"""A SavedModel of ``--stage export``, loaded to predict patches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gastric_keras.serving.exported_metadata import (
    RawPoint,
    find_case_calls,
    find_raw_point,
    read_metadata,
)
from gastric_keras.statistics.case_rules import CaseCalls
from gastric_keras.support.checksums import check_checksums
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import sha256_of

_SIGNATURE = "predict_array"
_SUFFIX = "_probability"
_RAW = "raw_probabilities"
_EXPORT = "Make it with --stage export and name its folder, such as RUN/export."


class Answer(NamedTuple):
    """The answer of a model to n patches.

    Attributes:
        probability: (n,) float32 of the positive class, in [0, 1].
        label: (n,) object, names of classes at the threshold.
        threshold: from validation.
        raw: (n,) float32, the same out of the network, by which evaluation calls; None
            where the model or its metadata do not tell it.
    """

    probability: npt.NDArray[np.float32]
    label: npt.NDArray[np.object_]
    threshold: float
    raw: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class ExportedModel:
    """A loaded model.

    Attributes:
        folder: the version's.
        size: side of the patches that it takes, px.
        positive: name of the positive class.
        patch_size: side of the patches it was trained on before they were resized to
            ``size``, px; equals ``size`` where the metadata do not say.
        mpp: µm/px of those patches; 0: not known.
        normalization: of the stain of those patches, which ``predict`` does not do;
            None: none, or the metadata do not say.
        raw_point: how the network's own probabilities are called; None: not told.
        case_calls: how the patches of a case become one call; None: not told.
        metadata: of the export; empty where there are none.
        checksum: SHA-256 of graph and weights.
    """

    folder: Path
    size: int
    positive: str
    patch_size: int
    mpp: float
    normalization: str | None
    raw_point: RawPoint | None
    case_calls: CaseCalls | None
    # Those of another program's model are kept unchanged.
    metadata: dict[str, Any]
    checksum: str
    _signature: Callable[..., dict[str, tf.Tensor]]

    @property
    def identity(self) -> dict[str, Any]:
        """What its answers hang on, ready for JSON."""
        return {
            "path": str(self.folder),
            "checksum": self.checksum,
            "metadata": self.metadata,
        }

    def predict(
        self, patches: tf.Tensor | npt.NDArray[np.uint8], *, is_known: bool = False
    ) -> Answer:
        """Predict patches.

        Args:
            patches: (n, size, size, 3) uint8, RGB; n ≥ 1; their stain normalized
                where ``normalization`` says so.
            is_known: an answer to an earlier batch was checked, and the graph is the
                same.

        Raises:
            InputError: the model fails, or its answer contradicts itself.
        """
        try:
            found = self._signature(patch=tf.convert_to_tensor(patches))
            label = [each.decode() for each in found["label"].numpy()]
        except (tf.errors.OpError, UnicodeDecodeError) as error:
            words = " ".join(str(error).split())[:200]
            raise InputError(
                "A model must answer to patches of its own signature, got "
                f"model={self.folder} ({words}). {_EXPORT}"
            ) from error
        probability = found[self.positive + _SUFFIX].numpy()
        if not is_known:
            self._check(len(patches), probability, label, found["threshold"].numpy())
        raw = None
        if self.raw_point is not None:
            raw = found[_RAW].numpy()[:, self.raw_point.column]
        return Answer(
            probability, np.array(label, object), float(found["threshold"][0]), raw
        )

    def _check(
        self,
        n: int,
        probability: npt.NDArray[np.float32],
        label: list[str],
        threshold: npt.NDArray[np.float32],
    ) -> None:
        shapes = [probability.shape, (len(label),), threshold.shape]
        require(
            shapes == [(n,)] * 3 and 0 <= threshold[0] <= 1,
            f"The model must give a probability, a label and a threshold in [0, 1] for "
            f"each of {n} patches",
            _EXPORT,
            shapes=shapes,
            threshold=threshold.ravel()[:1].tolist(),
        )
        # NaN is counted by the caller, who has all patches.
        outside = (probability < 0) | (probability > 1)
        require(
            not outside.any(),
            "The model must give probabilities in [0, 1]",
            _EXPORT,
            probability=probability[outside][:1].tolist(),
        )
        called = np.array(label, object) == self.positive
        # Other programs' models have no checksums, but their outputs must agree with
        # each other; closer to the threshold than this, rounding decides.
        is_clear = np.abs(probability - threshold) > 1e-4
        wrong = is_clear & (called != (probability >= threshold))
        require(
            not wrong.any(),
            f"The model must give the label {self.positive} where the probability is "
            "at or above the threshold, and nowhere else",
            _EXPORT,
            probability=probability[wrong][:1].tolist(),
            threshold=threshold[:1].tolist(),
            label=[label[i] for i in np.flatnonzero(wrong)[:1]],
        )


def version_folder(folder: Path) -> Path:
    """The folder of one version: the folder itself, or the highest number in it.

    Raises:
        InputError: no SavedModel in either.
    """
    if (folder / "saved_model.pb").is_file():
        return folder
    numbered = [path for path in folder.glob("[0-9]*") if path.name.isdecimal()]
    versions = [path for path in numbered if (path / "saved_model.pb").is_file()]
    if not versions:
        raise InputError(
            "A model must be the folder of a SavedModel, or of numbered ones, got "
            f"model={folder}. {_EXPORT}"
        )
    return max(versions, key=lambda path: int(path.name))


def load_exported(folder: Path) -> ExportedModel:
    """Load the model of an export folder.

    Args:
        folder: ``export/1``, or ``export``, of which the highest version is taken.

    Raises:
        InputError: no model, a damaged one, one that differs from its ``SHA256SUMS``,
            or one without the signature ``predict_array`` and its outputs.
    """
    version = version_folder(folder)
    check_checksums(
        version, way_out="Copy the model again, or export it again with --force."
    )
    metadata = read_metadata(version)
    signature = _load_signature(version)
    takes = signature.structured_input_signature[1]["patch"]
    gives = signature.structured_outputs
    shape = takes.shape.as_list()
    require(
        takes.dtype == tf.uint8
        and len(shape) == 4
        and shape[1] == shape[2]
        and shape[1] is not None
        and shape[3] == 3,
        "The model must take square uint8 patches, RGB",
        _EXPORT,
        patch=f"{takes.dtype.name} {shape}",
    )
    positive = [name.removesuffix(_SUFFIX) for name in gives if name.endswith(_SUFFIX)]
    kinds = {"label": tf.string, "threshold": tf.float32}
    kinds |= {f"{name}{_SUFFIX}": tf.float32 for name in positive}
    require(
        len(positive) == 1
        and all(key in gives and gives[key].dtype == kinds[key] for key in kinds),
        f"The model must have the outputs label, threshold and one <class>{_SUFFIX}",
        _EXPORT,
        outputs={key: value.dtype.name for key, value in sorted(gives.items())},
    )
    return ExportedModel(
        folder=version,
        size=shape[1],
        positive=positive[0],
        patch_size=metadata.get("patch_size") or shape[1],
        mpp=float(metadata.get("mpp") or 0),
        normalization=metadata.get("normalization"),
        raw_point=find_raw_point(metadata, positive[0]) if _is_raw(gives) else None,
        case_calls=find_case_calls(metadata, version),
        metadata=metadata,
        checksum=_checksum(version),
        _signature=signature,
    )


def _is_raw(gives: dict[str, tf.TensorSpec]) -> bool:
    """Whether the network's own probabilities of two classes are among the outputs."""
    found = gives.get(_RAW)
    return (
        found is not None
        and found.dtype == tf.float32
        and found.shape.as_list()[1:] == [2]
    )


def _load_signature(version: Path) -> Any:
    try:
        signature = tf.saved_model.load(str(version)).signatures[_SIGNATURE]
        signature.structured_input_signature[1]["patch"]
        return signature
    except KeyError as error:
        raise InputError(
            f"A SavedModel must have the signature {_SIGNATURE} of `patch`, got "
            f"model={version}, which lacks {error}. {_EXPORT}"
        ) from error
    except Exception as error:
        # TensorFlow fails in a dozen ways on damaged files.
        raise InputError(
            "A SavedModel must be one that TensorFlow can load, got "
            f"model={version} ({type(error).__name__}: {str(error)[:200]}). {_EXPORT}"
        ) from error


def _checksum(version: Path) -> str:
    files = [version / "saved_model.pb", *sorted((version / "variables").glob("*"))]
    return hashlib.sha256("".join(map(sha256_of, files)).encode()).hexdigest()
