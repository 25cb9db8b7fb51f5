"""Which rows and files count: indexes and folders as they lie in laboratories.

The truth is which pictures are meant, of which split, and how many rows or files are
not. Families: a column that tells splits under many names and words; folds by number;
``where`` against cells with blanks and other capitals; paths with backslashes, in full,
in other Unicode forms and capitals; folders with what systems leave behind, with links
and loops; labels that YAML takes for something else. Where an index is refused, the
advice of the message is pasted, and must work.
"""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shlex
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.kinds import Kind

_Truth = dict[str, Any]
_LABELS = ("benign", "malignant")


def write(rng: random.Random, folder: Path) -> str:
    """Draw a family; write its index and its pictures (empty files: none is opened)."""
    (folder / "pictures").mkdir()
    name = rng.choice(sorted(_FAMILIES))
    truth = {"overrides": [], "must": "right", **_FAMILIES[name](rng, folder)}
    (folder / "truth.json").write_text(json.dumps(truth))
    return name


def read(folder: Path) -> None:
    """List the pictures as ``data_prep target`` does; paste the advice if refused."""
    from gastric_keras.support.errors import InputError

    truth = json.loads((folder / "truth.json").read_text())
    overrides = truth["overrides"]
    if truth["must"] == "right":
        _check(folder, truth, overrides, truth["rows"])
        return
    try:
        images, _ = _list(folder, overrides)
    except InputError as error:
        message = str(error)
    else:
        raise AssertionError(f"{len(images)} pictures read")
    for pick, rows in truth["advice"]:
        flags = _flags(message, pick)
        assert flags, f"no advice {pick!r} in: {message}"
        pasted = [*overrides, *flags]
        try:
            _check(folder, {**truth, "left_out": None}, pasted, rows)
        except InputError as error:
            raise AssertionError(f"{flags}, pasted: {error}") from error
    if not truth["advice"]:
        raise InputError(message)


def _flags(message: str, pick: str) -> list[str]:
    """What can be pasted of a message: ``--set`` flags, or one mapping of labels."""
    if pick == "labels":
        found = re.findall(r"labels: (\{.*?\})(?=, or|\.$|\. |$)", message)
        return [f"labels={found[0]}"] if found else []
    parts = message.split(" or draw new splits by case")
    words = shlex.split(parts[pick == "decline"].replace(" (in the config", " '' ("))
    return [words[i + 1] for i, word in enumerate(words) if word == "--set"]


def _list(folder: Path, overrides: list[str]) -> Any:
    from data_prep.config.sets import TargetSetConfig, with_source
    from data_prep.sets.kinds import check_labels
    from data_prep.sources.pictures import read_sources
    from gastric_keras.records.ledger import Ledger
    from gastric_keras.support.config_io import load

    config = load(TargetSetConfig, None, overrides)
    index = folder / "index.csv"
    config = with_source(
        config,
        images=str(folder / "pictures"),
        index=str(index) if index.is_file() else None,
    )
    ledger = Ledger()
    images = read_sources(config, "label", ledger=ledger)
    check_labels(config, images)
    return images, ledger


def _check(
    folder: Path, truth: _Truth, overrides: list[str], rows: list[list[str | None]]
) -> None:
    images, ledger = _list(folder, overrides)
    found = sorted([i.image_id, i.split or ""] for i in images)
    assert found == sorted([row[0], row[1] or ""] for row in rows), found
    assert all(image.path.is_file() for image in images)
    if truth.get("left_out") is not None:
        assert ledger.left_out.total() == truth["left_out"], ledger.left_out
    if "warned" in truth:
        assert bool(ledger.warnings) == truth["warned"], ledger.warnings
    if "warning" in truth:
        told = [text for text in ledger.warnings if "copies of others" in text]
        assert bool(told) == bool(truth["warning"]), ledger.warnings
    if truth.get("assumed"):
        assert ledger.assumed, ledger


def _pictures(rng: random.Random, folder: Path) -> list[list[str]]:
    """path, label and case of a few pictures, which are there."""
    rows = []
    for number in range(rng.randint(6, 14)):
        path = f"{'sub/' if number % 3 == 1 else ''}p{number}.png"
        rows.append([path, _LABELS[number % 2], f"c{number}"])
        _touch(folder / "pictures" / path)
    return rows


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def _index(folder: Path, header: list[str], rows: list[list[str]]) -> None:
    with open(folder / "index.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])


_HEAD = ["path", "label", "case_id"]


def _split_column(rng: random.Random, folder: Path) -> _Truth:
    rows = _pictures(rng, folder)
    name = rng.choice(
        ("split", "Split", "fold", "set", "partition", "subset", "data split", "phase")
        + ("dataset_split", "usage", " split ", "a.b split", "train/test")
    )
    words = rng.choice(
        (
            ("train", "validation", "test"),
            ("Train", "Val", "Test"),
            ("training", "valid", "testing"),
            ("TRAIN", "DEV", "HELD-OUT"),
            ("trn", "tune", "holdout"),
            ("train", "validation", "test "),
        )
    )
    splits = [rng.randrange(3) for _ in rows]
    splits[:3] = [0, 1, 2]
    _index(
        folder,
        [*_HEAD, name],
        [[*row, words[split]] for row, split in zip(rows, splits)],
    )
    known = ("train", "validation", "test")
    used = [[row[0], known[split]] for row, split in zip(rows, splits)]
    drawn = [[row[0], None] for row in rows]
    return {"must": "refused", "advice": [["use", used], ["decline", drawn]]}


def _flag_column(rng: random.Random, folder: Path) -> _Truth:
    rows = _pictures(rng, folder)
    yes, no = rng.choice((("1", "0"), ("True", "False"), ("yes", "no"), ("1.0", "0.0")))
    name, said, other = rng.choice(
        (
            ("is_test", "test", "train"),
            ("test", "test", "train"),
            ("isTrain", "train", "test"),
            ("held out", "test", "train"),
            ("is_validation", "validation", "train"),
        )
    )
    is_yes = [number % 3 == 0 for number in range(len(rows))]
    _index(
        folder, [*_HEAD, name], [[*r, yes if y else no] for r, y in zip(rows, is_yes)]
    )
    used = [[row[0], said if y else other] for row, y in zip(rows, is_yes)]
    drawn = [[row[0], None] for row in rows]
    return {"must": "refused", "advice": [["use", used], ["decline", drawn]]}


def _split_among_others(rng: random.Random, folder: Path) -> _Truth:
    """Rows of a fourth word, which the advice leaves out, as ebhi's ``mid``."""
    rows = _pictures(rng, folder)
    words = ("train", "val", "test", rng.choice(("mid", "spare", "excluded")))
    _index(folder, [*_HEAD, "fold"], [[*r, words[i % 4]] for i, r in enumerate(rows)])
    known = ("train", "validation", "test")
    used = [[r[0], known[i % 4]] for i, r in enumerate(rows) if i % 4 < 3]
    drawn = [[row[0], None] for row in rows]
    return {"must": "refused", "advice": [["use", used], ["decline", drawn]]}


def _fold_numbers(rng: random.Random, folder: Path) -> _Truth:
    rows = _pictures(rng, folder)
    form = rng.choice(("{}", "{}.0", "fold{}", "fold_{}"))
    name = rng.choice(("fold", "Fold", "kfold", "cv_fold", "set"))
    _index(
        folder, [*_HEAD, name], [[*r, form.format(i % 5)] for i, r in enumerate(rows)]
    )
    return {"rows": [[row[0], None] for row in rows], "warned": True, "assumed": True}


def _other_columns(rng: random.Random, folder: Path) -> _Truth:
    """Columns that are no splits: nothing is said of them."""
    rows = _pictures(rng, folder)
    name, values = rng.choice(
        (
            ("scanner", ("test", "HE")),
            ("grade", ("1", "2", "3")),
            ("settings", ("a", "b")),
            ("splitter", ("on", "off")),
            ("site", ("yes", "no")),
            ("split", ("train", "train")),
            ("site", ("Tr", "Bo")),
            ("", ("train", "test")),
        )
    )
    _index(folder, [*_HEAD, name], [[*r, values[i % 2]] for i, r in enumerate(rows)])
    return {"rows": [[row[0], None] for row in rows], "warned": False, "left_out": 0}


def _marked_column(rng: random.Random, folder: Path) -> _Truth:
    """A mark at the test cases, and nothing at the others."""
    rows = _pictures(rng, folder)
    name = rng.choice(("test", "is_test", "Holdout", "held out", "testing"))
    mark = rng.choice(("x", "X", "1", "yes", "\u2713", "TRUE"))
    is_test = [number % 3 == 0 for number in range(len(rows))]
    _index(folder, [*_HEAD, name], [[*r, mark * y] for r, y in zip(rows, is_test)])
    used = [[r[0], "test" if y else "train"] for r, y in zip(rows, is_test)]
    drawn = [[row[0], None] for row in rows]
    return {"must": "refused", "advice": [["use", used], ["decline", drawn]]}


def _selecting_column(rng: random.Random, folder: Path) -> _Truth:
    """A column that says which pictures count, not asked for: told, none left out."""
    rows = _pictures(rng, folder)
    name = rng.choice(("exclude", "Include", "use", "qc_pass", "stain", "isValid"))
    values = rng.choice((("1", "0"), ("yes", "no"), ("x", ""), ("HE", "IHC")))
    _index(folder, [*_HEAD, name], [[*r, values[i % 2]] for i, r in enumerate(rows)])
    kept = [[row[0], None] for row in rows]
    return {"rows": kept, "warned": True, "assumed": True, "left_out": 0}


def _patient_column(rng: random.Random, folder: Path) -> _Truth:
    """A column that joins what the case column parts: told."""
    rows = _pictures(rng, folder)
    name = rng.choice(("patient", "Patient ID", "subject_id", "donor", "患者编号"))
    joins = rng.random() < 0.5
    cells = [f"q{number // 2 if joins else number}" for number in range(len(rows))]
    _index(folder, [*_HEAD, name], [[*r, cell] for r, cell in zip(rows, cells)])
    kept = [[row[0], None] for row in rows]
    return {"rows": kept, "warned": joins, "assumed": True, "left_out": 0}


def _masks_beside(rng: random.Random, folder: Path) -> _Truth:
    """Masks, small views and copies among the pictures of a class: told."""
    names = ("a_mask", "a (1)", "Copy of a", "a_thumb", "masks/a", "a - Kopie", "a_gt")
    other = rng.choice((*names, "a2", "damask", "b"))
    kept = ["benign/a.png", f"benign/{other}.png", "malignant/c.png"]
    for path in kept:
        _touch(folder / "pictures" / path)
    return {
        "overrides": ["sources.0.case_pattern='/(.*)\\.png'"],
        "rows": [[path, None] for path in kept],
        "warned": True,
        "warning": "copies of others" if other in names else None,
    }


def _where_blanks(rng: random.Random, folder: Path) -> _Truth:
    rows = _pictures(rng, folder)
    kept = [i % 3 > 0 for i in range(len(rows))]
    blank = rng.choice((" ", "\u00a0", "\t", "  ", "\u200b"))
    cells = ["mid" + blank * rng.randrange(2) if is_kept else "b" for is_kept in kept]
    _index(folder, [*_HEAD, "batch"], [[*r, cell] for r, cell in zip(rows, cells)])
    value = rng.choice(("mid", "' mid'", "'mid '"))
    return {
        "overrides": [f"sources.0.where={{batch: [{value}]}}"],
        "rows": [[row[0], None] for row, is_kept in zip(rows, kept) if is_kept],
        "left_out": kept.count(False),
    }


def _where_spelled(rng: random.Random, folder: Path) -> _Truth:
    """A value that is spelled otherwise: all of its spellings, when pasted."""
    rows = _pictures(rng, folder)
    value, other = rng.choice(
        (("mid", "Mid"), ("1", "1.0"), ("a b", "a  b"), ("x", "ｘ"), ("no", "NO"))
    )
    wanted = rng.choice((value, other.upper()))
    cells = [(value, other, "spare")[i % 3] for i in range(len(rows))]
    _index(folder, [*_HEAD, "batch"], [[*r, cell] for r, cell in zip(rows, cells)])
    kept = [[r[0], None] for i, r in enumerate(rows) if i % 3 < 2]
    where = [f"sources.0.where={{batch: ['{wanted}']}}"]
    return {"must": "refused", "overrides": where, "advice": [["use", kept]]}


def _where_nothing(rng: random.Random, folder: Path) -> _Truth:
    rows = _pictures(rng, folder)
    _index(folder, [*_HEAD, "batch"], [[*r, "ab"[i % 2]] for i, r in enumerate(rows)])
    value = rng.choice(("[c]", "[a, c]", "['']"))
    where = [f"sources.0.where={{batch: {value}}}"]
    return {"must": "refused", "overrides": where, "advice": []}


def _paths(rng: random.Random, folder: Path) -> _Truth:
    rows = _pictures(rng, folder)
    root = folder / "pictures"
    _touch(root / "Präp/Ünit_1.PNG")
    rows.append(["Präp/Ünit_1.PNG", "benign", "c99"])
    form = rng.choice(sorted(_PATHS))
    _index(folder, _HEAD, [[_PATHS[form](path, root), *r] for path, *r in rows])
    return {"rows": [[row[0], None] for row in rows], "left_out": 0}


_PATHS: dict[str, Callable[[str, Path], str]] = {
    "backslashes": lambda path, root: path.replace("/", "\\"),
    "in full": lambda path, root: str(root.resolve() / path),
    "in full, by another way": lambda path, root: f"{root}/../pictures/./{path}",
    "NFD": lambda path, root: unicodedata.normalize("NFD", path),
    "NFC": lambda path, root: unicodedata.normalize("NFC", path),
    "capitals": lambda path, root: path.upper(),
    "suffix": lambda path, root: path[:-3] + path[-3:].swapcase(),
    "blanks": lambda path, root: f" {path}\u00a0",
    "dots": lambda path, root: f"./{path}",
}


def _blank_rows(rng: random.Random, folder: Path) -> _Truth:
    rows = _pictures(rng, folder)
    blank = rng.randint(1, 4)
    _touch(folder / "pictures" / "in_no_row.png")
    _index(folder, _HEAD, [*rows, *[["", " ", ""]] * blank])
    return {"rows": [[row[0], None] for row in rows], "left_out": blank + 1}


def _folder(rng: random.Random, folder: Path) -> _Truth:
    """Folders of classes with what systems leave, links, loops and other suffixes."""
    root = folder / "pictures"
    kept, left_out, warned = [], 0, False
    for label in _LABELS:
        for number in range(rng.randint(2, 4)):
            suffix = rng.choice((".png", ".PNG", ".jpg", ".JPeG", ".tif"))
            kept.append(f"{label}/{label[0]}{number}_x{suffix}")
            _touch(root / kept[-1])
    for stray in rng.sample(_STRAYS, rng.randint(0, 5)):
        _touch(root / "benign" / stray)
        left_out += 1
    for suffix in rng.sample((".webp", ".txt", ".xml", ".czi", ""), rng.randint(0, 3)):
        _touch(root / "malignant" / f"b9_other{suffix}")
        left_out += 1
        warned |= suffix in (".webp", ".czi")
    if rng.random() < 0.5:
        _touch(folder / "disk" / "deep" / "b7_y.png")
        os.symlink(folder / "disk", root / "benign" / "batch")
        kept.append("benign/batch/deep/b7_y.png")
    if rng.random() < 0.3:
        os.symlink("..", root / "malignant" / "loop")
        left_out += 1
    if rng.random() < 0.3:
        os.symlink("../malignant", root / "benign" / "z_other_class")
        left_out += 1
    if rng.random() < 0.3:
        os.symlink("nowhere.png", root / "benign" / "b8_dangling.png")
        left_out += 1
    return {
        "overrides": ["sources.0.case_pattern='([bm][0-9])_'"],
        "rows": [[path, None] for path in kept],
        "left_out": left_out,
        "warned": warned,
    }


#: Each is one name that is passed over.
_STRAYS = (
    "@eaDir/b1_x.png/SYNOPHOTO_THUMB_M.jpg",
    ".ipynb_checkpoints/b1_x-checkpoint.png",
    "._b1_x.png",
    ".hidden/b1_x.png",
    "__MACOSX/b1_x.png",
    "Thumbs.db",
    "desktop.ini",
    ".DS_Store",
    "#recycle/b1_x.png",
    "$RECYCLE.BIN/b1_x.png",
    "~$b1_x.png",
    "lost+found/b1_x.png",
)


def _split_folders(rng: random.Random, folder: Path) -> _Truth:
    """Folders of splits inside those of the classes, which nobody asked for."""
    names = rng.choice(
        (("train", "test"), ("Training", "Val"), ("trainset", "testset"))
    )
    kept = [f"{label}/{name}/{label[0]}{i}_x.png" for label in _LABELS
            for i, name in enumerate(names)]  # fmt: skip
    for path in kept:
        _touch(folder / "pictures" / path)
    return {
        "overrides": ["sources.0.case_pattern='([bm][0-9])_'"],
        "rows": [[path, None] for path in kept],
        "warned": True,
    }


def _odd_labels(rng: random.Random, folder: Path) -> _Truth:
    """A label that YAML takes for something else; the others are classes."""
    from gastric_keras.records.spelling import is_empty_like

    label = rng.choice(
        ("0", "1.0", "no", "Yes", "null", "~", "1e3", "0x1F", "2024-01-01", "1:30")
        + (
            "Tumor: Positive",
            "a, b",
            "{a}",
            "[x]",
            "#3",
            "*",
            "&a",
            "!x",
            "%",
            "@",
            "`",
        )
        + ("- a", "it's", 'a "b"', "Krebs\u00a0?", "恶性", "a: {b: c}", "?", "|", ">")
        + ("tumor.", "on", "=", "<<", "a\\b")
    )
    rows = _pictures(rng, folder)
    for row in rows[::2]:
        row[1] = label
    blank = rng.choice(("", " ", "\u00a0"))
    _index(folder, _HEAD, [[p, name + blank, case] for p, name, case in rows])
    kept = [[row[0], None] for row in rows]
    # What tells nothing is no class: the advice is to leave it out.
    advice = [] if is_empty_like(label) else [["labels", kept]]
    return {"must": "refused", "advice": advice}


_FAMILIES: dict[str, Callable[[random.Random, Path], _Truth]] = {
    "a column of splits": _split_column,
    "a column of yes and no": _flag_column,
    "a column of marks": _marked_column,
    "a column that selects": _selecting_column,
    "a column of patients": _patient_column,
    "masks beside pictures": _masks_beside,
    "splits among other words": _split_among_others,
    "folds by number": _fold_numbers,
    "columns that are no splits": _other_columns,
    "where, blanks in cells": _where_blanks,
    "where, spelled otherwise": _where_spelled,
    "where, in no row": _where_nothing,
    "paths": _paths,
    "blank rows, pictures in no row": _blank_rows,
    "folders of classes": _folder,
    "folders of splits": _split_folders,
    "labels that YAML reads otherwise": _odd_labels,
}

KIND = Kind("rows", write, read)
