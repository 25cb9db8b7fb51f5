"""What an exported model tells of itself, read with care: files are edited by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gastric_keras.imaging.normalization import STAIN_METHODS
from gastric_keras.statistics.case_rules import CaseCalls
from gastric_keras.support import config_io
from gastric_keras.support.errors import require
from gastric_keras.support.files import read_json

#: Of the patches that a model was trained on, µm/px and px: beyond, it is a mistake.
_MOST_MPP, _MOST_SIDE = 100, 4096


@dataclass(frozen=True)
class RawPoint:
    """How the probabilities out of the network are called.

    Attributes:
        column: of the positive class.
        threshold: in [0, 1], from validation.
    """

    column: int
    threshold: float


# Those of another program's model are kept unchanged.
def read_metadata(version: Path) -> dict[str, Any]:
    """The metadata of an exported version; empty where there are none.

    Raises:
        InputError: damaged, or a scale, side or normalization that cannot be.
    """
    path = version / "assets" / "metadata.json"
    if not path.is_file():
        return {}
    metadata = read_json(path)
    is_read = isinstance(metadata, dict) and all(
        type(metadata.get(key)) in kinds and 0 <= (metadata.get(key) or 0) <= most
        for key, kinds, most in (
            ("mpp", (int, float, type(None)), _MOST_MPP),
            ("patch_size", (int, type(None)), _MOST_SIDE),
        )
    )
    require(
        is_read,
        f"Metadata must have mpp and patch_size as numbers up to {_MOST_MPP} and "
        f"{_MOST_SIDE}, 0 or null where they are not known",
        "Export the model again with --force.",
        path=str(path),
    )
    method = metadata.get("normalization")
    require(
        method is None or method in STAIN_METHODS,
        f"normalization must be null or one of {', '.join(STAIN_METHODS)}",
        "Export the model again with --force.",
        path=str(path),
        normalization=method,
    )
    return dict(metadata)


def find_classes(
    metadata: Mapping[str, Any], number: int, version: Path
) -> tuple[str, ...]:
    """Names of more than two classes, in the order of their probabilities.

    Args:
        metadata: of the export.
        number: of the probabilities.
        version: its folder, for the message.

    Raises:
        InputError: another number of names, one twice, or one that is no text.
    """
    names = metadata.get("classes")
    is_read = (
        isinstance(names, list)
        and all(isinstance(name, str) and name for name in names)
        and len(set(names)) == len(names) == number
    )
    require(
        is_read,
        f"Metadata must name the {number} classes of the model, each once",
        "Copy assets/metadata.json with the model, or export it again with --force.",
        path=f"{version}/assets/metadata.json",
        classes=names,
    )
    return tuple(names or ())


def find_raw_point(metadata: Mapping[str, Any], positive: str) -> RawPoint | None:
    """How raw probabilities are called; None where the metadata do not say.

    Args:
        metadata: of the export.
        positive: name of the positive class.
    """
    classes, threshold = metadata.get("classes"), metadata.get("raw_threshold")
    if not isinstance(classes, list) or len(classes) != 2 or positive not in classes:
        return None
    if not isinstance(threshold, float | int) or not 0 <= threshold <= 1:
        return None
    return RawPoint(classes.index(positive), float(threshold))


def find_case_calls(metadata: Mapping[str, Any], version: Path) -> CaseCalls | None:
    """How cases are called; None where the metadata do not say.

    Args:
        metadata: of the export.
        version: its folder, for the message.

    Raises:
        InputError: a rule or threshold that cannot be.
    """
    if metadata.get("case_calls") is None:
        return None
    found: CaseCalls = config_io.build(
        CaseCalls, metadata["case_calls"], f"{version}/assets/metadata.json"
    )
    return found
