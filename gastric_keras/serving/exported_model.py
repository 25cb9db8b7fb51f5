"""A SavedModel of ``--stage export``, loaded to predict patches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gastric_keras.serving.exported_answer import (
    ALL,
    EXPORT,
    RAW,
    SUFFIX,
    Answer,
    answer_of_classes,
    answer_of_two,
)
from gastric_keras.serving.exported_metadata import (
    RawPoint,
    find_case_calls,
    find_classes,
    find_raw_point,
    read_metadata,
)
from gastric_keras.statistics.case_rules import CaseCalls
from gastric_keras.support.checksums import check_checksums
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import sha256_of

_SIGNATURE = "predict_array"


@dataclass(frozen=True)
class ExportedModel:
    """A loaded model.

    Attributes:
        folder: the version's.
        size: side of the patches that it takes, px.
        scored_classes: names of those whose probability it gives: the positive one of
            two, or of more than two each, in label order.
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
    scored_classes: tuple[str, ...]
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
    def positive(self) -> str | None:
        """The positive class of two; None: more than two, called by the highest."""
        return self.scored_classes[0] if len(self.scored_classes) == 1 else None

    @property
    def tells_raw(self) -> bool:
        """Whether an answer holds the network's own probabilities."""
        return self.positive is None or self.raw_point is not None

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
            return self._read(found, len(patches), is_known=is_known)
        except (tf.errors.OpError, UnicodeDecodeError) as error:
            words = " ".join(str(error).split())[:200]
            raise InputError(
                "A model must answer to patches of its own signature, got "
                f"model={self.folder} ({words}). {EXPORT}"
            ) from error

    def _read(self, found: dict[str, tf.Tensor], n: int, *, is_known: bool) -> Answer:
        if self.positive is None:
            classes = self.scored_classes
            return answer_of_classes(found, n, classes=classes, is_known=is_known)
        return answer_of_two(
            found,
            n,
            positive=self.positive,
            raw_point=self.raw_point,
            is_known=is_known,
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
            f"model={folder}. {EXPORT}"
        )
    return max(versions, key=lambda path: int(path.name))


def load_exported(folder: Path) -> ExportedModel:
    """Load the model of an export folder.

    Args:
        folder: ``export/1``, or ``export``, of which the highest version is taken.

    Raises:
        InputError: no model, a damaged one, one that differs from its ``SHA256SUMS``,
            or one without the signature ``predict_array`` and its outputs, or without
            names for more than two classes.
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
        EXPORT,
        patch=f"{takes.dtype.name} {shape}",
    )
    scored = _scored_classes(gives, metadata, version)
    is_raw = len(scored) == 1 and _shape_of(gives, RAW)[1:] == [2]
    return ExportedModel(
        folder=version,
        size=shape[1],
        scored_classes=scored,
        patch_size=metadata.get("patch_size") or shape[1],
        mpp=float(metadata.get("mpp") or 0),
        normalization=metadata.get("normalization"),
        raw_point=find_raw_point(metadata, scored[0]) if is_raw else None,
        case_calls=find_case_calls(metadata, version),
        metadata=metadata,
        checksum=_checksum(version),
        _signature=signature,
    )


def _scored_classes(
    gives: Mapping[str, tf.TensorSpec], metadata: Mapping[str, Any], version: Path
) -> tuple[str, ...]:
    """Classes whose probability is among the outputs, see ``ExportedModel``."""
    scored = [name.removesuffix(SUFFIX) for name in gives if name.endswith(SUFFIX)]
    spelled = {key: value.dtype.name for key, value in sorted(gives.items())}
    if ALL in gives and not scored:
        shape = _shape_of(gives, ALL)
        number = shape[1] or 0 if len(shape) == 2 else 0
        is_read = (
            number > 2
            and _shape_of(gives, RAW)[1:] == [number]
            and "label" in gives
            and gives["label"].dtype == tf.string
        )
        require(
            is_read,
            f"The model must have the outputs label, {ALL} and {RAW} of three classes "
            "or more",
            EXPORT,
            outputs=spelled,
            shape=shape,
        )
        return find_classes(metadata, number, version)
    kinds = {"label": tf.string, "threshold": tf.float32}
    kinds |= {f"{name}{SUFFIX}": tf.float32 for name in scored}
    require(
        len(scored) == 1
        and all(key in gives and gives[key].dtype == kinds[key] for key in kinds),
        f"The model must have the outputs label, threshold and one <class>{SUFFIX}, or "
        f"of more than two classes label, {ALL} and {RAW}",
        EXPORT,
        outputs=spelled,
    )
    return (scored[0],)


def _shape_of(gives: Mapping[str, tf.TensorSpec], key: str) -> list[int | None]:
    """Shape of an output of float32; [] where there is none, or its rank is open."""
    found = gives.get(key)
    if found is None or found.dtype != tf.float32 or found.shape.rank is None:
        return []
    return list(found.shape.as_list())


def _load_signature(version: Path) -> Any:
    try:
        signature = tf.saved_model.load(str(version)).signatures[_SIGNATURE]
        signature.structured_input_signature[1]["patch"]
        return signature
    except KeyError as error:
        raise InputError(
            f"A SavedModel must have the signature {_SIGNATURE} of `patch`, got "
            f"model={version}, which lacks {error}. {EXPORT}"
        ) from error
    except Exception as error:
        # TensorFlow fails in a dozen ways on damaged files.
        raise InputError(
            "A SavedModel must be one that TensorFlow can load, got "
            f"model={version} ({type(error).__name__}: {str(error)[:200]}). {EXPORT}"
        ) from error


def _checksum(version: Path) -> str:
    files = [version / "saved_model.pb", *sorted((version / "variables").glob("*"))]
    return hashlib.sha256("".join(map(sha256_of, files)).encode()).hexdigest()
