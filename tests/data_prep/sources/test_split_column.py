"""A split that data tell is used or refused, never ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.config.sets import ColumnsConfig, SourceConfig
from data_prep.sources.index import read_index
from data_prep.sources.split_column import check_folders, guess_splits, split_of_word
from gastric_keras.records.ledger import Ledger
from gastric_keras.support.errors import InputError
from tests.helpers.small_pictures import write_index


def _index(
    tmp_path: Path, column: str, values: str, **options: object
) -> tuple[list[dict[str, str]], Ledger]:
    rows = [
        {"path": f"{i}.png", "label": "benign", "case_id": f"c{i}", column: value}
        for i, value in enumerate(values.split())
    ]
    path = str(write_index(tmp_path / "index.csv", rows))
    ledger = Ledger()
    source = SourceConfig(images=str(tmp_path), index=path, **options)
    return read_index(source, "label", position=2, ledger=ledger), ledger


@pytest.mark.parametrize(
    ("column", "values", "flags"),
    [
        ("split", "train test validation", '"sources.2.columns.split=split" or draw'),
        ("fold", "train val test", "splits={test: test, train: train, val: valid"),
        ("Phase", "TRAIN TEST TEST", "splits={TEST: test, TRAIN: train}"),
        ("is_test", "0 1 0", "splits={'0': train, '1': test}"),
        ("isTrain", "yes no no", "splits={'no': test, 'yes': train}"),
        ("split", "A B C", "splits={A: train, B: validation, C: test}"),
        ("split", "test test", '"sources.2.columns.split=split" or draw'),
        ("set", "train test mid", "sources.2.where={set: [test, train]}"),
    ],
)
def test_a_column_that_tells_splits_is_refused_with_its_flags(
    tmp_path: Path, column: str, values: str, flags: str
) -> None:
    with pytest.raises(InputError) as error:
        _index(tmp_path, column, values)
    message = str(error.value)
    assert f"used or declined, got {tmp_path / 'index.csv'} with the column" in message
    assert flags in message
    assert "with --set \"sources.2.columns.split=''\" (in the config" in message
    declined = ColumnsConfig(split="")
    assert [
        row["split"] for row in _index(tmp_path, column, values, columns=declined)[0]
    ]


@pytest.mark.parametrize(
    ("column", "values", "options"),
    [
        ("grade", "test HE", {}),
        ("split", "train train", {}),
        ("fold", "mid test mid", {"where": {"fold": ("mid",)}}),
        ("fold", "train test", {"where": {"fold": ("test",)}}),
        ("site", "yes no", {}),
        ("split", "train test", {"columns": ColumnsConfig(split="split")}),
    ],
)
def test_other_columns_and_splits_that_are_used_pass(
    tmp_path: Path, column: str, values: str, options: dict[str, object]
) -> None:
    rows, ledger = _index(tmp_path, column, values, **options)
    assert rows and not ledger.warnings


def test_rows_of_both_sides_kept_by_where_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="used or declined"):
        _index(tmp_path, "fold", "train test b", where={"fold": ("train", "test")})


def test_folds_by_number_are_told(tmp_path: Path) -> None:
    rows, ledger = _index(tmp_path, "fold", "0 1 2 3 4")
    assert len(rows) == 5
    assert "(0, 1, 2, 3, 4) is not used: the splits are drawn" in ledger.warnings[0]
    assert [*ledger.assumed] == [
        "column fold of index.csv not used (0, 1, 2, 3, 4)",
        "columns of index.csv not used: fold",
    ]


def test_folders_of_splits_are_told() -> None:
    ledger = Ledger()
    check_folders(["benign/a.png", "test/b.png"], "in", ledger)
    assert not ledger.warnings
    check_folders(["Train/a.png", "x/held-out/b.png"], "in", ledger)
    assert "the folders Train, held-out in in are not used" in ledger.warnings[0]


def test_folders_of_folds_and_names_of_files_are_told() -> None:
    ledger = Ledger()
    check_folders(["a/fold1/test_x.png", "a/b/contest_y.png"], "in", ledger)
    assert not ledger.warnings
    check_folders(["a/fold1/x.png", "a/fold_2/y.png"], "in", ledger)
    assert "the folders fold1, fold_2 in in are not used" in ledger.warnings[0]
    check_folders(["a/test_x.png", "a/y-train-1.png"], "in", ledger)
    assert "such as a/test_x.png and a/y-train-1.png, and are" in ledger.warnings[1]
    assert len(ledger.assumed) == len(ledger.warnings) == 2


def test_a_mark_and_a_blank_are_a_split(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text(
        "path,label,case_id,holdout\na.png,benign,a,x\nb.png,benign,b,\n"
    )
    source = SourceConfig(images=str(tmp_path), index=str(tmp_path / "index.csv"))
    with pytest.raises(InputError, match=r"splits=\{\? '' : train, x: test\}"):
        read_index(source, "label")


def test_words_for_splits() -> None:
    for word, split in (
        ("train_1", "train"),
        ("val 2", "validation"),
        ("test set A", "test"),
        ("external validation", "test"),
        ("训练集", "train"),
        ("测试", "test"),
        ("Validierung", "validation"),
        ("train/test", None),
        ("contest", None),
    ):
        assert split_of_word(word) == split, word
    assert split_of_word("Held-Out") == "test" and split_of_word("mid") is None
    assert guess_splits(["val", "mid"]) == {"val": "validation"}
    assert guess_splits(["a"]) == {"a": "train"}
    assert guess_splits(["a", "b"]) == {"a": "train", "b": "test"}
