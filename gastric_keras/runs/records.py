"""The small JSON files of a run that later stages read, and their shapes."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json, read_object

_Shape = TypeVar("_Shape")


@dataclass(frozen=True)
class Provenance:
    """What made a run; ``provenance.collect`` writes it, of an earlier version less.

    Attributes:
        command: as it was typed.
        started: UTC, ISO 8601.
        commit: of the checkout, 12 hexadecimal digits, ``+changes`` behind them when it
            was changed since; None outside a checkout.
        python: version.
        device: machine and system.
        seed: of training.
        packages: name -> version; None where it was not installed.
        records: folder of a set -> manifest_sha256.
    """

    command: str | None = None
    started: str | None = None
    commit: str | None = None
    python: str | None = None
    device: str | None = None
    seed: int | None = None
    packages: dict[str, str | None] = field(default_factory=dict)
    records: dict[str, dict[str, str | None]] = field(default_factory=dict)

    def manifest_sha256(self, folder: str) -> str | None:
        """Of a set's manifest when the run was made; None: not known."""
        return self.records.get(folder, {}).get("manifest_sha256")


@dataclass(frozen=True)
class TransferReport:
    """What a warm start did, by weight name.

    Attributes:
        source: what the weights came from, in words.
        copied: weights of the new model that were taken over.
        initialised: weights of the new model that start anew.
        unused: weights of the old model that were left behind.
    """

    source: str
    copied: tuple[str, ...]
    initialised: tuple[str, ...]
    unused: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """One line of pictures.json, which the report reads.

    Attributes:
        file: name in the folder of figures.
        kind: what it shows.
        text: the same in words, for those who do not see it.
    """

    file: str
    kind: Literal["filters", "responses", "decision", "error"]
    text: str


def read_provenance(path: Path) -> Provenance:
    """Read provenance.json.

    Raises:
        InputError: it is missing, or damaged.
    """
    return _read(Provenance, path, "Run --stage target --force to make the run anew.")


def read_transfer(path: Path) -> TransferReport:
    """Read transfer_report.json of a stage.

    Raises:
        InputError: it is missing, or damaged.
    """
    return _read(TransferReport, path, "Run that stage again with --force.")


def read_pictures(path: Path) -> list[Picture]:
    """Read pictures.json.

    Raises:
        InputError: it is missing or damaged, or names a file of another folder.
    """
    way_out = "Run --stage visualize --force."
    items = read_json(path)
    if not isinstance(items, list):
        raise _damaged(path, "a list of pictures", type(items).__name__, way_out)
    pictures = [_build(Picture, item, path, way_out) for item in items]
    for picture in pictures:
        # A page holds what it shows: another's file must not get into it.
        if picture.file != Path(picture.file).name or not picture.file.isprintable():
            raise _damaged(path, "a file beside that list", picture.file, way_out)
    return pictures


def _read(shape: type[_Shape], path: Path, way_out: str) -> _Shape:
    """Known keys alone: a later version may write more."""
    known = {each.name for each in fields(shape)}  # type: ignore[arg-type]
    found = {k: v for k, v in read_object(path).items() if k in known}
    return _build(shape, found, path, way_out)


def _build(shape: type[_Shape], tree: Any, path: Path, way_out: str) -> _Shape:
    try:
        built: _Shape = config_io.build(shape, tree, path.name)
        return built
    except InputError as error:
        raise _damaged(path, f"a {path.name} of this form", error, way_out) from error


def _damaged(path: Path, wanted: str, found: object, way_out: str) -> InputError:
    return InputError(
        f"{wanted[0].upper()}{wanted[1:]} was expected. Received: path={path} "
        f"({found}). Copy it from a sound copy, or make it again. {way_out}"
    )
