"""Dataclasses and readers of a run's small files; for scores see ``scores``.

Later stages and versions read these fields only.
"""

from __future__ import annotations

import csv
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Literal, TypeVar

from gastric_keras.records.treatment import Treatment
from gastric_keras.runs.fit_scores import FitScore, head_scores, score_of
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import read_json, read_object

_Shape = TypeVar("_Shape")


@dataclass(frozen=True)
class Provenance:
    """What made a run, see ``provenance.collect``; earlier versions wrote less.

    Attributes:
        command: as it was typed.
        started: UTC, ISO 8601.
        commit: of the checkout, 12 hexadecimal digits, ``+changes`` behind them when it
            was changed since; None outside a checkout.
        python: version.
        packages: name -> version; None where it was not installed.
        device: machine and system.
        seed: of training.
        records: folder of a set -> manifest_sha256.
        treatments: folder of a set -> what was done to its pixels.
    """

    command: str | None = None
    started: str | None = None
    commit: str | None = None
    python: str | None = None
    packages: dict[str, str | None] = field(default_factory=dict)
    device: str | None = None
    seed: int | None = None
    records: dict[str, dict[str, str | None]] = field(default_factory=dict)
    treatments: dict[str, Treatment] = field(default_factory=dict)

    def manifest_sha256(self, folder: str) -> str | None:
        """Of a set's manifest when the run was made; None: not known."""
        return self.records.get(folder, {}).get("manifest_sha256")


@dataclass(frozen=True)
class TransferReport:
    """What a warm start did, by weight name.

    Attributes:
        source: what the weights came from, in words.
        copied: weights of the new model that were taken over.
        initialised: weights of the new model that keep their initial values.
        unused: weights of the old model that were left behind.
    """

    source: str
    copied: tuple[str, ...]
    initialised: tuple[str, ...]
    unused: tuple[str, ...]


@dataclass(frozen=True)
class FitFigures:
    """How a fit ended: what is read of its done.json.

    Attributes:
        best_epoch: from 0; its weights were kept.
        val_auc: of that epoch; NaN where training diverged; None of a task that has no
            classes.
        epochs: that were trained.
        steps: of the optimizer.
        seconds: that training took.
        scores: of validation in that epoch, of a task that has no classes; NaN is not
            defined.
    """

    best_epoch: int
    val_auc: float | None
    epochs: int
    steps: int
    seconds: float
    scores: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if min(self.best_epoch, self.epochs, self.steps) < 0 or not (
            0 <= self.seconds < math.inf and not (self.val_auc or 0) > 1
        ):
            raise InputError(f"Figures of a fit must be 0 or more, got {self}")
        if self.val_auc is None and score_of(self.scores).column not in self.scores:
            raise InputError(f"Figures of a fit must have its score, got {self}")

    @property
    def chosen_by(self) -> FitScore:
        """What chose the epoch."""
        return score_of(self.scores)

    @property
    def score(self) -> float:
        """The value of that in the epoch."""
        return (
            self.scores[self.chosen_by.column] if self.val_auc is None else self.val_auc
        )

    @property
    def heads(self) -> dict[str, tuple[FitScore, float]]:
        """Of two heads, what each is judged by and its value; empty of one."""
        return head_scores(self.scores)

    @property
    def tree(self) -> dict[str, object]:
        """As done.json holds them: scores only where there are some."""
        return {key: v for key, v in asdict(self).items() if key != "scores" or v}


@dataclass(frozen=True)
class ListedPicture:
    """One line of pictures.json, which the report reads.

    Attributes:
        file: name in the folder of figures.
        kind: what it shows.
        text: the same in words, for those who do not see it.
    """

    file: str
    kind: Literal["filters", "responses", "decision", "error"]
    text: str

    def __post_init__(self) -> None:
        # The report embeds the file: it must not be a file from elsewhere.
        require(
            self.file == Path(self.file).name and self.file.isprintable(),
            "file must be a file beside the list",
            "Give its name without a folder.",
            file=self.file,
        )


@dataclass(frozen=True)
class _Pictures:
    pictures: tuple[ListedPicture, ...]


@dataclass(frozen=True)
class LayerScore:
    """What a linear probe reads off one layer.

    Attributes:
        stage: initial (t=0), mid (t=1) or target (t=2).
        layer: of the backbone.
        channels: of its output, pooled.
        val_auc: of the regression, on the validation split of the target.
    """

    stage: str
    layer: str
    channels: int
    val_auc: float


def read_provenance(path: Path) -> Provenance:
    """Read provenance.json.

    Raises:
        InputError: it is missing, or damaged.
    """
    return _read(Provenance, path, "Run --stage target --force to make the run again.")


def read_transfer(path: Path) -> TransferReport:
    """Read transfer_report.json of a stage.

    Raises:
        InputError: it is missing, or damaged.
    """
    return _read(TransferReport, path, "Run that stage again with --force.")


def read_fit(path: Path) -> FitFigures:
    """Read the done.json of a fit.

    Raises:
        InputError: it is missing, or damaged.
    """
    names = ", ".join(each.name for each in fields(FitFigures))
    return _read(
        FitFigures,
        path,
        "Run the stage again with --force.",
        must=f"have the figures of a finished stage, {names}",
    )


def read_pictures(path: Path) -> tuple[ListedPicture, ...]:
    """Read pictures.json.

    Raises:
        InputError: it is missing or damaged, or names a file of another folder.
    """
    way_out = "Run --stage visualize --force."
    return _read(_Pictures, path, way_out, under="pictures").pictures


def read_history(path: Path) -> dict[str, list[float]]:
    """Columns of a history.csv; an empty cell is NaN, and no row gives no column.

    Raises:
        InputError: a cell is not a number, a row is longer or shorter than the header,
            a column is repeated, or the epochs are not 0, 1, 2…
    """
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream, strict=True)) or [[]]
        if not rows:
            return {}
        if "epoch" not in header or len(set(header)) < len(header):
            raise ValueError(f"columns {header}")
        columns = [[float(cell or "nan") for cell in column] for column in zip(*rows)]
        if any(len(row) != len(header) for row in rows):
            raise ValueError(f"a row without {len(header)} cells")
        history = dict(zip(header, columns, strict=True))
        if history["epoch"] != list(range(len(rows))):
            raise ValueError("epochs that are not 0, 1, 2…")
    except (OSError, ValueError, csv.Error) as error:
        way_out = "Run the stage again with --force."
        raise _damaged(path, "hold rows of numbers", error, way_out) from error
    return history


def read_layer_scores(path: Path) -> list[LayerScore]:
    """Read a ``probe/layers.csv``.

    Raises:
        InputError: it has other columns or no numbers.
    """
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            return [
                LayerScore(
                    row["stage"],
                    row["layer"],
                    int(row["channels"]),
                    float(row["val_auc"]),
                )
                for row in csv.DictReader(stream)
            ]
    except (KeyError, TypeError, ValueError) as error:
        must = "have the columns stage, layer, channels and val_auc"
        way_out = "Run --stage probe --force."
        raise _damaged(path, must, repr(error), way_out) from error


def _read(
    shape: type[_Shape],
    path: Path,
    way_out: str,
    *,
    must: str = "have the form that its stage writes",
    under: str | None = None,
) -> _Shape:
    """A JSON file of some shape, or the field ``under`` of one.

    Of an object known keys alone: a later version may write more."""
    try:
        if under:
            tree = {under: read_json(path)}
        else:
            known = {each.name for each in fields(shape)}  # type: ignore[arg-type]
            tree = {k: v for k, v in read_object(path).items() if k in known}
        built: _Shape = config_io.build(shape, tree, path.name)
        return built
    except InputError as error:
        raise _damaged(path, must, error, way_out) from error


def _damaged(path: Path, must: str, found: object, way_out: str) -> InputError:
    return InputError(
        f"{path.name} must {must}, got path={path} ({found}). Copy it from an intact "
        f"copy, or make it again. {way_out}"
    )
