"""Which pictures and slides are predicted, and whose they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gastric_keras.config.predict import PredictConfig
from gastric_keras.imaging.slides import SUFFIXES, is_slide
from gastric_keras.records.cases import case_in, check_pattern, known_case
from gastric_keras.records.folders import Finder, count_unlisted, list_files
from gastric_keras.records.ledger import Ledger
from gastric_keras.records.spelling import few, near_equal, spelled
from gastric_keras.records.table import Table, read_table
from gastric_keras.support.errors import InputError, require


@dataclass(frozen=True)
class Input:
    """A picture or slide.

    Attributes:
        path: its file.
        image_id: its path below the folder of all, with slashes.
        case_id: whose it is; the ``image_id`` where that is not known.
        is_slide: it is read in patches.
        fault: why it cannot be read, as far as its name tells; "" where it may be.
    """

    path: Path
    image_id: str
    case_id: str
    is_slide: bool
    fault: str = ""


def find_inputs(
    images: Sequence[Path], cases: Path | None, config: PredictConfig, ledger: Ledger
) -> list[Input]:
    """List what is to be predicted, ordered by ``image_id``.

    Args:
        images: files, which are tried whatever their suffix, and folders, of which
            all pictures and slides are taken; with ``cases`` one folder.
        cases: index CSV with a row for each picture to read; None: all are read.
        config: says how cases are told.
        ledger: is told what was left out and assumed.

    Raises:
        InputError: nothing to read, an index that is none, or a path without the case
            that ``case_pattern`` looks for.
    """
    if cases is None:
        _check_columns_unused(config)
        found = _by_path(images, config, ledger)
    else:
        found = _by_index(images, cases, config, ledger)
    _tell_cases(found, ledger)
    return sorted(found, key=lambda each: each.image_id)


def _by_path(
    images: Sequence[Path], config: PredictConfig, ledger: Ledger
) -> list[Input]:
    # By their absolute paths, each file once; order is made at the end.
    named = [os.path.abspath(path) for path in images]
    folders = [path for path in named if os.path.isdir(path)]
    paths = [path for path in named if not os.path.isdir(path)]
    for folder in folders:
        below = list_files(Path(folder), SUFFIXES, ledger, beside=())
        paths += [os.path.join(folder, path) for path in below]
    require(
        bool(paths),
        f"--images must have pictures or slides ({', '.join(SUFFIXES)})",
        "Check the folder; other formats must be converted.",
        images=list(map(str, images)),
    )
    ledger.left_out["files named twice"] += len(paths) - len(set(paths))
    paths = sorted(set(paths))
    root = _root_of(folders, paths)
    below = [Path(os.path.relpath(path, root)).as_posix() for path in paths]
    check_pattern(config.case_pattern, below, ledger)
    return [
        _input(Path(path), name, case_in(config.case_pattern, name), config)
        for path, name in zip(paths, below, strict=True)
    ]


def _root_of(folders: Sequence[str], paths: Sequence[str]) -> str:
    """The folder that ids count from: the one given, else the deepest of all."""
    parents = {os.path.dirname(path) for path in paths}
    if len(folders) == 1 and all(
        Path(path).is_relative_to(folders[0]) for path in paths
    ):
        return folders[0]
    return os.path.commonpath([*parents, *folders])


def _by_index(
    images: Sequence[Path], cases: Path, config: PredictConfig, ledger: Ledger
) -> list[Input]:
    require(
        len(images) == 1 and images[0].is_dir(),
        "--images must be one folder with --cases",
        "Paths of the index count from it.",
        images=list(map(str, images)),
    )
    require(
        config.case_pattern is None,
        "The case must be told once, by --cases or by case_pattern",
        "Leave one of them out.",
        case_pattern=config.case_pattern,
    )
    table = _read_index(cases, config)
    ledger.read[f"rows of {cases.name}"] += len(table.rows)
    ledger.left_out[f"blank rows of {cases.name}"] += table.blank
    if table.form:
        ledger.assumed[f"{cases.name} is {table.form}"] += 1
    names = [row.cells[config.path_column] for row in table.rows]
    unlisted = count_unlisted(images[0], names, SUFFIXES)
    ledger.left_out[f"pictures beside those of {cases.name}, in no row"] += unlisted
    finder = Finder(images[0], ledger)
    found: dict[str, Input] = {}
    for row, name in zip(table.rows, names, strict=True):
        each = _of_row(finder, name, row.cells[config.case_column], config, ledger)
        held = found.setdefault(each.image_id, each)
        if held is not each:
            ledger.left_out["rows of a picture that has one already"] += 1
        require(
            held.case_id == each.case_id,
            "Each picture must be of one case",
            "Fix the index.",
            image=each.image_id,
            cases=[held.case_id, each.case_id],
        )
    return list(found.values())


def _read_index(cases: Path, config: PredictConfig) -> Table:
    wanted = (config.path_column, config.case_column)
    table = read_table(cases, wanted)
    missing = [name for name in wanted if table.header.count(name) != 1]
    require(
        not missing,
        f"The index must have the columns {' and '.join(wanted)} once",
        "Rename them there, or name yours: --set path_column=file "
        "--set case_column=patient.",
        index=str(cases),
        columns=list(table.header),
    )
    require(
        bool(table.rows),
        "The index must have a row for each picture",
        "Fill it in, or leave --cases out.",
        index=str(cases),
        rows=0,
    )
    return table


def _of_row(
    finder: Finder, name: str, cell: str, config: PredictConfig, ledger: Ledger
) -> Input:
    case = known_case(cell, name, ledger)
    try:
        path = finder.find(name, "picture")
    except InputError as error:
        # One row among thousands: the others are predicted, and this one is told.
        image_id = spelled(name)
        return Input(
            finder.root / name, image_id, case or image_id, False, spelled(str(error))
        )
    return _input(finder.root / path, path, case, config)


def _input(path: Path, name: str, case: str, config: PredictConfig) -> Input:
    image_id = spelled(name)
    in_patches = config.pictures == "slide" or is_slide(path)
    return Input(path, image_id, spelled(case) or image_id, in_patches)


def _check_columns_unused(config: PredictConfig) -> None:
    default = PredictConfig()
    for name in ("path_column", "case_column"):
        require(
            getattr(config, name) == getattr(default, name),
            f"{name} must come with an index",
            "Give --cases index.csv, or leave it out.",
            **{name: getattr(config, name)},
        )


def _tell_cases(found: Sequence[Input], ledger: Ledger) -> None:
    own = sum(each.case_id == each.image_id for each in found)
    ledger.assumed["pictures of unknown case, each its own case"] += own
    groups = near_equal(
        {each.case_id for each in found if each.case_id != each.image_id}
    )
    if groups:
        names = few((" = ".join(map(repr, group)) for group in groups), 10)
        ledger.warn(
            f"{len(groups)} times case names differ in spelling alone, and may be one "
            f"patient: {names}. Each is called by itself; spell them alike."
        )
