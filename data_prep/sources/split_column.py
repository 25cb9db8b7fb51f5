"""Columns and folders that say train or test: used or refused, never ignored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from data_prep.config.sources import SourceConfig
from data_prep.sources.unused_columns import YES, words_of
from gastric_keras.records.ledger import Ledger
from gastric_keras.records.spelling import clean, few, is_empty_like
from gastric_keras.records.table import Row, Table
from gastric_keras.support.errors import InputError
from gastric_keras.support.strict_yaml import override, snippet

#: Word in data -> split, in small letters and without separators.
_WORDS = {
    **dict.fromkeys(
        ("train", "training", "trainset", "trn", "tr", "trainval", "development")
        + ("derivation", "discovery", "internal", "训练", "训练集", "学習", "훈련")
        + ("entrenamiento", "entraînement", "apprentissage", "обучение"),
        "train",
    ),
    **dict.fromkeys(
        ("val", "valid", "validation", "validate", "valset", "dev", "tune", "tuning")
        + ("validierung", "validación", "validazione", "валидация", "验证", "验证集")
        + ("検証", "검증"),
        "validation",
    ),
    **dict.fromkeys(
        ("test", "testing", "testset", "tst", "te", "heldout", "holdout", "eval")
        + ("evaluation", "external", "replication", "测试", "测试集", "テスト")
        + ("테스트", "prueba", "тест"),
        "test",
    ),
}
#: Words that mean a split inside a longer name, where they are none of the sites.
_PLAIN = frozenset("train training val valid validation test testing heldout".split())
#: Words in the name of a column that splits; those of the first group say nothing else.
_SPLIT_NAMES = frozenset(("split", "splits", "partition", "partitions"))
_FOLD_NAMES = frozenset(
    (
        "fold",
        "folds",
        "set",
        "subset",
        "kfold",
        "cv",
        "cohort",
        "dataset",
        "数据集",
        "分组",
    )
)
#: Words in the name of a column of yes and no -> the split that yes means.
_FLAG_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "validation"), "validation"),
    **dict.fromkeys(("test", "testing", "held", "heldout", "holdout"), "test"),
}
_FLAGS = YES | {"0", "0.0", "false", "no", "n", "f"}
#: A folder of a fold: fold1, cv_3.
_FOLD_FOLDER = re.compile(r"(?:k?fold|cv|partition)[\s_-]?\d+", re.IGNORECASE)
#: Different values above which a column tells no splits.
_MOST_VALUES = 30


def split_of_word(value: str) -> str | None:
    """train, validation or test by a word that data use for it; None for any other."""
    whole = _WORDS.get(re.sub(r"[\W_]", "", value).casefold())
    if whole is not None:
        return whole
    words = {word.casefold() for word in re.findall(r"[^\W\d_]+", value)}
    if "external" in words:
        # An external validation is a test: nothing is chosen by it.
        return "test"
    found = {_WORDS[word] for word in words & _PLAIN}
    return found.pop() if len(found) == 1 else None


def guess_splits(values: Sequence[str]) -> dict[str, str]:
    """A mapping for ``splits``: by the words that tell it, else an example."""
    known = {value: split for value in values if (split := split_of_word(value))}
    held = ["train", "test"] if len(values) < 3 else ["validation", "test"]
    others = ["train"] * (len(values) - 2) + held
    return known or dict(zip(values, others))


def check_unused(
    source: SourceConfig,
    position: int,
    table: Table,
    rows: Sequence[Row],
    ledger: Ledger,
) -> None:
    """Refuse an index whose split nobody uses, since its test cases would be drawn.

    A column counts by its name (split, partition, is_test), or by its values (train,
    val, test). Numbers of a k-fold column are told of and left.

    Args:
        source: its columns, where and index.
        position: of the source in the config.
        table: the index.
        rows: those that ``where`` keeps.
        ledger: is told of what looks like folds.

    Raises:
        InputError: with the flags that use the column and those that decline it.
    """
    if source.columns.split is not None:
        return
    columns = source.columns
    used = {columns.path, columns.case, columns.label, columns.annotation, ""}
    for name in dict.fromkeys(table.header):
        cells = (row.cells[name] for row in rows)
        present = {clean(cell) for cell in cells}
        values = sorted(value for value in present if not is_empty_like(value))
        if len(values) < len(present) and _is_mark(name, values):
            # A mark for the test cases and nothing for the others.
            values = ["", *values]
        # Of one value that was asked for, nothing is left to be split.
        is_chosen = name in source.where and len(values) <= 1
        if name in used or is_chosen or len(values) > _MOST_VALUES:
            continue
        if _is_split(name, values):
            raise _unused(source, position, table.path, name, values)
        if words_of(name) & _FOLD_NAMES and len(values) > 1:
            note = f"column {name} of {table.path.name} not used ({few(values)})"
            ledger.assumed[note] += 1
            if all(re.fullmatch(r"\D*\d+(\.0)?", value) for value in values):
                ledger.warn(
                    f"the column {name} of {table.path} ({few(values)}) is not used: "
                    "the splits are drawn without it."
                )


def check_folders(paths: Iterable[str], root: str, ledger: Ledger) -> None:
    """Warn where folders are called train, val or test and no column tells splits.

    Args:
        paths: of the pictures, with slashes.
        root: the folder that they lie in.
        ledger: is told.
    """
    paths = list(paths)
    names = {part for path in paths for part in PurePosixPath(path).parts[:-1]}
    found = {name: split for name in sorted(names) if (split := split_of_word(name))}
    folds = sorted(name for name in names if _FOLD_FOLDER.fullmatch(name))
    files: dict[str, str] = {}
    for path in paths:
        words = re.findall(r"[^\W\d_]+", PurePosixPath(path).stem.casefold())
        for word in _PLAIN.intersection(words):
            files.setdefault(_WORDS[word], path)
    if len(set(found.values())) <= 1 and len(files) > 1:
        ledger.assumed["file names that tell splits, not used"] += 1
        ledger.warn(
            f"file names in {root} tell splits, such as "
            f"{' and '.join(sorted(files.values()))}, and are not used: all pictures "
            "are drawn by case. To keep those splits, list the pictures in an index "
            "with a split column."
        )
    if len(folds) > 1:
        ledger.assumed["folders of folds not used"] += 1
        ledger.warn(
            f"the folders {few(folds)} in {root} are not used: the splits are drawn "
            "without them."
        )
    if len(set(found.values())) > 1:
        ledger.assumed["folders of splits not used"] += 1
        ledger.warn(
            f"the folders {', '.join(found)} in {root} are not used as splits: all "
            "pictures are drawn by case. To keep those splits, list the pictures in an "
            "index with a split column."
        )


def _is_split(name: str, values: Sequence[str]) -> bool:
    words = words_of(name)
    splits = {split_of_word(value) for value in values}
    if splits & {"validation", "test"}:
        is_named = bool(words & (_SPLIT_NAMES | _FOLD_NAMES))
        # Named so, or with nothing but such words: "test" may be a stain elsewhere.
        return is_named or (None not in splits and len(splits) > 1)
    is_pair = len(values) > 1
    return is_pair and (bool(words & _SPLIT_NAMES) or _split_of_yes(name, values) != "")


def _split_of_yes(name: str, values: Sequence[str]) -> str:
    """What yes means in a column such as is_test; "" where it is no such column."""
    said = [split for word, split in _FLAG_NAMES.items() if word in words_of(name)]
    are_flags = {value.casefold() for value in values} <= _FLAGS | {""}
    return said[0] if said and are_flags else ""


def _is_mark(name: str, values: Sequence[str]) -> bool:
    """Whether a column marks the cases of a split and says nothing of the others."""
    is_yes = len(values) == 1 and values[0].casefold() in YES
    return is_yes and _split_of_yes(name, values) != ""


def _unused(
    source: SourceConfig, position: int, path: Path, name: str, values: Sequence[str]
) -> InputError:
    key = f"sources.{position}"
    flags = [override(f"{key}.columns.split", name)]
    splits = guess_splits(values)
    if "train" not in splits.values():
        # "TCGA" beside "external validation" is what is trained on.
        splits = {value: splits.get(value, "train") for value in values}
    if said := _split_of_yes(name, values):
        # 0 before 1, false before true, no before yes.
        other = "test" if said == "train" else "train"
        splits = {value: other for value in values[:-1]} | {values[-1]: said}
    if any(value != split for value, split in splits.items()):
        flags.append(override(f"{key}.splits", splits))
    if len(splits) < len(values):
        kept = {column: [*cells] for column, cells in source.where.items()}
        flags.append(override(f"{key}.where", {**kept, name: [*splits]}))
    declined = override(f"{key}.columns.split", "")
    return InputError(
        f"A column that tells the splits must be used or declined, got {path} with the "
        f"column {name}: {few(values, 8)}. Use it with {' '.join(flags)} or draw new "
        f"splits by case with {declined} (in the config, under its source: "
        f"{snippet(columns={'split': ''})})."
    )
