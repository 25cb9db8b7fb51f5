"""Nuclei of a set's patches as a file that stage baselines reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_prep.__main__ import main
from gastric_keras.evaluation.baselines.feature_files import match_table, read_vectors
from gastric_keras.records.schema import read_records
from tests.helpers.small_sets import write_small_set

PER_CLASS = {"train": 3, "validation": 2, "test": 2}


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patches with two dots or with ten, at 0.5 µm/px."""
    folder = tmp_path_factory.mktemp("dots") / "set"
    write_small_set(folder, "target", ("few", "many"), per_class=PER_CLASS, size=64)
    return folder


def test_every_patch_has_its_vector_and_the_stage_finds_it(
    dots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "nuclei.npz"
    assert main(["measure", str(dots), "--out", str(out)]) == 0
    assert f"measure: 14 patches in {out}" in capsys.readouterr().out
    vectors = read_vectors(out)
    assert vectors.rows.shape == (14, 3)
    table = match_table(vectors, "nuclei", str(dots), "test")
    images = [record.image_id for record in read_records(dots, "test")]
    assert table.image_id.tolist() == images
    count = table.features["nuclei"][:, 1]
    assert count[table.label == 0].max() < count[table.label == 1].min()
    written = out.read_bytes()
    assert main(["measure", str(dots), "--out", str(out)]) == 0
    assert out.read_bytes() == written


def test_a_given_scale_wins(dots: Path, tmp_path: Path) -> None:
    found = []
    for mpp in ("0.5", "0.45"):
        out = tmp_path / f"{mpp}.npz"
        assert main(["measure", str(dots), "--out", str(out), "--mpp", mpp]) == 0
        found.append(read_vectors(out).rows)
    assert not np.array_equal(*found)


@pytest.mark.parametrize(
    "options, words",
    [
        (
            ["--mpp", "2"],
            "must be of at most 1.5 µm/px for their nuclei to be measured",
        ),
        (["--mpp", "-1"], "got train-0 with -1 µm/px"),
        (["--out", "nuclei.csv"], "--out must be a .npz file, got out=nuclei.csv"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    dots: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    out = tmp_path / "nuclei.npz"
    assert main(["measure", str(dots), "--out", str(out), *options]) == 2
    assert words in capsys.readouterr().err and not out.exists()
