"""Folds of a target set: every case tested once, in sets like any other."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from data_prep.__main__ import main
from data_prep.sets.folds import write_folds
from data_prep.sets.splits import deal_folds
from gastric_keras.records.integrity import verify_set
from gastric_keras.records.manifest import SPLITS, Fold, read_manifest
from gastric_keras.records.schema import PatchRecord, read_records
from gastric_keras.support.errors import InputError
from tests.helpers.small_sets import write_small_set

CLASSES = ("benign", "malignant")
PER_CLASS = {"train": 12, "validation": 4, "test": 4}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folds") / "target"
    subsets = {"small": 4, "large": 12}
    write_small_set(folder, "target", CLASSES, per_class=PER_CLASS, subsets=subsets)
    return folder


@pytest.fixture(scope="module")
def folds(source: Path) -> list[Path]:
    return write_folds(source, source.with_name("folds"), folds=5)


def _records(folder: Path, splits: tuple[str, ...] = SPLITS) -> list[PatchRecord]:
    return [record for split in splits for record in read_records(folder, split)]


def test_every_case_is_tested_once_and_validates_once(folds: list[Path]) -> None:
    manifests = [read_manifest(folder) for folder in folds]
    for split in ("validation", "test"):
        cases = [case for manifest in manifests for case in manifest.cases[split]]
        assert len(cases) == len(set(cases)) == 20
    for manifest in manifests:
        parts = [set(manifest.cases[split]) for split in SPLITS]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 20
        # A like share of each class: 4 of 20 patches in each fold.
        assert set(manifest.counts["test"].values()) == {4}
    assert [m.fold for m in manifests] == [Fold(i, 5, 0) for i in range(1, 6)]


@pytest.mark.parametrize("seed", range(100))
def test_no_fold_lacks_a_class_however_mixed_the_cases(seed: int) -> None:
    rng = random.Random(seed)
    classes, folds = rng.choice([2, 3, 6]), rng.choice([3, 5])
    counts = {
        f"case-{i}": Counter(
            {label: rng.choice([1, 4, 30]) for label in rng.sample(range(classes), n)}
        )
        for i, n in enumerate(rng.choices([1, 1, 2], k=10 * classes))
    }
    # As many cases of each class as there are folds, the least that is taken.
    counts |= {
        f"own-{label}-{i}": Counter({label: 1})
        for label in range(classes)
        for i in range(folds)
    }
    dealt = deal_folds(counts, folds=folds, num_classes=classes, seed=seed)
    held = [
        {label for case in counts if dealt[case] == fold for label in counts[case]}
        for fold in range(folds)
    ]
    assert held == [set(range(classes))] * folds


def test_folds_hold_the_records_of_their_set(source: Path, folds: list[Path]) -> None:
    wanted = sorted(_records(source), key=lambda record: record.image_id)
    for folder in folds:
        verify_set(folder, read_manifest(folder))
        assert sorted(_records(folder), key=lambda r: r.image_id) == wanted
        # Links, not copies.
        shard = folder / read_manifest(folder).shards[0].name
        assert os.stat(shard).st_nlink == 5


def test_a_deal_depends_on_its_seed_alone(source: Path, folds: list[Path]) -> None:
    again = write_folds(source, source.with_name("again"), folds=5)
    other = write_folds(source, source.with_name("other"), folds=5, seed=1)
    for one, two in zip(folds, again, strict=True):
        assert (one / "manifest.json").read_bytes() == (
            two / "manifest.json"
        ).read_bytes()
    assert read_manifest(other[0]).cases != read_manifest(folds[0]).cases


def test_a_subset_that_no_longer_fits_is_left_out_and_told(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = source.with_name("three")
    status = main(["folds", str(source), "--folds", "3", "--out", str(out)])
    assert status == 0
    printed = capsys.readouterr()
    assert "fold 1 of 3, deal 0" in printed.out
    assert "fold-1 is without the subset large" in printed.err
    assert read_manifest(out / "fold-1").subsets == {"small": 4}


def test_what_cannot_be_dealt_is_refused(source: Path, folds: list[Path]) -> None:
    out = source.with_name("refused")
    for folder, count, words in (
        (source, 2, "--folds must be 3 or more, got folds=2"),
        (source, 11, r"11 cases or more for 11 folds, got benign with 10, malignant"),
        (folds[0], 5, "a whole set, not of a fold"),
        (source, 5, "--out must be a new folder"),
    ):
        place = folds[0].parent if "new folder" in words else out
        with pytest.raises(InputError, match=words):
            write_folds(folder, place, folds=count)
        assert not out.exists()
