"""Read what stage evaluate left of external cohorts, as far as it is of this run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from gastric_keras.runs.cohort_shapes import (
    ClassCohortScores,
    CohortScores,
    SetAppearance,
)
from gastric_keras.runs.predictions import Predictions, read_predictions
from gastric_keras.runs.run_dir import CohortDir, RunDir
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_object, sha256_of, write_json
from gastric_keras.support.streams import warn

_Shape = TypeVar("_Shape")
_Scores = TypeVar("_Scores", CohortScores, ClassCohortScores)

_WAY_OUT = (
    "Copy it again from an intact copy, or run --stage evaluate with that cohort and "
    "--force."
)


@dataclass(frozen=True, eq=False)
class Cohort(Generic[_Scores]):
    """A scored cohort.

    Attributes:
        scores: of it.
        predictions: that they were computed from.
        appearance: of its cases.
        internal: appearance of the cases of the internal test split.
    """

    scores: _Scores
    predictions: Predictions
    appearance: SetAppearance
    internal: SetAppearance


def read_cohorts(run_dir: RunDir) -> list[Cohort[CohortScores]]:
    """Every cohort that was scored with the weights and the threshold that a run has.

    One that was scored before the run was evaluated anew is left out, with a warning.

    Raises:
        InputError: a file is missing, damaged or was changed since.
    """
    return [_read(run_dir, name, CohortScores) for name in _current(run_dir)]


def read_class_cohorts(run_dir: RunDir) -> list[Cohort[ClassCohortScores]]:
    """The same of a run of more than two classes."""
    return [_read(run_dir, name, ClassCohortScores) for name in _current(run_dir)]


def read_cohort_scores(run_dir: RunDir) -> list[CohortScores]:
    """The scores of the cohorts of a run alone."""
    return [_read_scores(run_dir, name, CohortScores) for name in _current(run_dir)]


def read_class_cohort_scores(run_dir: RunDir) -> list[ClassCohortScores]:
    """The same of a run of more than two classes."""
    names = _current(run_dir)
    return [_read_scores(run_dir, name, ClassCohortScores) for name in names]


def _current(run_dir: RunDir) -> list[str]:
    names = []
    for done in sorted(run_dir.external.glob(f"*/{CohortDir.done.parts[-1]}")):
        name = done.parent.name
        if read_object(done).get("report_sha256") == sha256_of(run_dir.report_json):
            names.append(name)
        else:
            warn(
                f"the external cohort {name} is left out: the run was evaluated anew "
                "since it was scored. Run --stage evaluate with it."
            )
    return names


def _read(run_dir: RunDir, name: str, shape: type[_Scores]) -> Cohort[_Scores]:
    scores, place = _read_scores(run_dir, name, shape), run_dir.cohort(name)
    return Cohort(
        scores,
        read_predictions(place.predictions),
        _build(SetAppearance, place.appearance),
        _build(SetAppearance, run_dir.internal_appearance),
    )


def _read_scores(run_dir: RunDir, name: str, shape: type[_Scores]) -> _Scores:
    sums = _sums(run_dir.cohort(name))
    for path in _files(run_dir, name):
        wanted = sums.get(path.name)
        found = sha256_of(path) if path.is_file() else None
        if found is None or wanted != found:
            raise InputError(
                f"{path.name} must have the sha256 {wanted} that --stage evaluate "
                f"wrote, got {path} with {found or 'no file'}. {_WAY_OUT}"
            )
    return _build(shape, run_dir.cohort(name).scores)


def _build(shape: type[_Shape], path: Path) -> _Shape:
    try:
        built: _Shape = config_io.build(shape, read_object(path), path.name)
        return built
    except InputError as error:
        raise InputError(
            f"{path.name} must be as --stage evaluate writes it, got {path} ({error}). "
            f"{_WAY_OUT}"
        ) from error


def is_scored(run_dir: RunDir, name: str, key: Mapping[str, object]) -> bool:
    """Whether intact results of a cohort exist that were made under this key."""
    return _has(run_dir, name, key, _files(run_dir, name))


def is_predicted(run_dir: RunDir, name: str, key: Mapping[str, object]) -> bool:
    """Whether intact predictions of a cohort exist that were made under this key."""
    return _has(run_dir, name, key, [run_dir.cohort(name).predictions])


def _has(
    run_dir: RunDir, name: str, key: Mapping[str, object], files: Iterable[Path]
) -> bool:
    place = run_dir.cohort(name)
    if not place.done.is_file():
        return False
    held, sums = read_object(place.done), _sums(place)
    return {part: held.get(part) for part in key} == key and all(
        path.is_file() and sha256_of(path) == sums.get(path.name) for path in files
    )


def seal_cohort(run_dir: RunDir, name: str, key: Mapping[str, object]) -> None:
    """Write done.json: what the results of a cohort hang on, and their checksums."""
    sums = {path.name: sha256_of(path) for path in _files(run_dir, name)}
    write_json(run_dir.cohort(name).done, {**key, "sha256": sums})


def _files(run_dir: RunDir, name: str) -> tuple[Path, ...]:
    place = run_dir.cohort(name)
    own = place.predictions, place.appearance, place.scores
    return *own, run_dir.internal_appearance


def _sums(place: CohortDir) -> dict[str, Any]:
    sums = read_object(place.done).get("sha256")
    if not isinstance(sums, dict):
        raise InputError(
            f"{place.done.name} must hold the checksums of a scored cohort, got "
            f"{place.done}. Delete it and run --stage evaluate with that cohort again."
        )
    return sums
