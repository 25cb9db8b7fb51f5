"""Pictures by a model of three classes whose answer is known for each patch."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from gastric_keras import run
from gastric_keras.config.predict import PredictConfig
from gastric_keras.heatmap import inference
from gastric_keras.heatmap.finding import check_options
from gastric_keras.prediction import pictures
from gastric_keras.prediction.calls import choose_calls
from gastric_keras.serving.exported_model import ExportedModel
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json
from tests.helpers.small_exports import COLORS, SIZE, color_export, raw_colors_of
from tests.helpers.small_pictures import noise, write_picture, write_slide

CASES = ("--set", "case_pattern='([^/]+)/[^/]+$'")
TABLES = ("predictions.csv", "pictures.csv", "cases.csv", "set_aside.csv")


@pytest.fixture
def model() -> Path:
    return color_export().parent


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "_BARE_SECONDS", 0.01)


def _patch(number: int) -> npt.NDArray[np.uint8]:
    """Mostly of one color, another one by another number."""
    pixels = noise(number, SIZE, SIZE) // 2
    pixels[..., number % 3] += np.uint8(20 + 7 * number)
    return pixels


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven pictures of two cases, a folder each, and a slide of the second."""
    root = tmp_path_factory.mktemp("lab")
    for number in range(11):
        write_picture(root / f"case{number // 6}" / f"p{number:02}.png", _patch(number))
    pixels = np.full((48, 64, 3), (150, 30, 60), np.uint8)
    pixels[:, 32:] = (60, 20, 160)
    write_slide(root / "case1" / "a.tif", pixels)
    return root


def _predict(model: Path, out: Path, lab: Path, *more: str) -> int:
    command = ["--stage", "predict", "--model", str(model), "--out", str(out)]
    return run.main([*command, "--images", str(lab), "--set", "side=16", *CASES, *more])


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def test_each_patch_picture_and_case_has_a_score_of_each_class(
    model: Path, lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(model, tmp_path, lab) == 0
    raw: dict[str, list[npt.NDArray[np.float64]]] = {}
    rows = _rows(tmp_path / "predictions.csv")
    assert len(rows) == 11 + 12
    for row in rows:
        found = np.array([float(row[f"raw_{name}_probability"]) for name in COLORS])
        if row["image_id"].endswith("png"):
            wanted = raw_colors_of(_patch(int(row["image_id"][-6:-4])))
            np.testing.assert_allclose(found, wanted, atol=1e-5)
        calibrated = [float(row[f"{name}_probability"]) for name in COLORS]
        # A temperature of 2 flattens, and moves no call.
        wanted = np.sqrt(found) / np.sqrt(found).sum()
        np.testing.assert_allclose(calibrated, wanted, atol=1e-5)
        assert row["label"] == COLORS[found.argmax()]
        raw.setdefault(row["case_id"], []).append(found)
        raw.setdefault(row["image_id"], []).append(found)
    for table, key in (("cases.csv", "case_id"), ("pictures.csv", "image_id")):
        for row in _rows(tmp_path / table):
            scores = np.array(raw[row[key]])
            mean = scores.mean(axis=0)
            told = [float(row[f"{name}_score"]) for name in COLORS]
            np.testing.assert_allclose(told, mean, atol=1e-6)
            assert row["label"] == COLORS[mean.argmax()]
            counts = [int(row[f"patches_{name}"]) for name in COLORS]
            called = scores.argmax(axis=1)
            assert counts == np.bincount(called, minlength=3).tolist()
            assert int(row["patches"]) == len(scores)
    summary = read_json(tmp_path / "summary.json")
    assert summary["positive"] is None and summary["calls"]["rule"] == "mean"
    assert sum(summary["totals"]["cases_called"].values()) == 2
    assert sum(summary["totals"]["patches_called"].values()) == 23
    said = capsys.readouterr().out
    for name, number in summary["totals"]["cases_called"].items():
        assert f"{name} {number}" in said
    assert "the highest mean of its patches, as evaluation calls cases; all in" in said
    slide = read_json(tmp_path / "slides" / "case1" / "a.tif" / "summary.json")
    assert slide["patches"]["called"] == {"red": 6, "green": 0, "blue": 6}
    assert slide["patches"]["share"] == {"red": 0.5, "green": 0, "blue": 0.5}
    assert _predict(model, tmp_path, lab) == 0
    assert f"predict: finished, see {tmp_path}" in capsys.readouterr().out


def test_what_was_interrupted_goes_on_and_ends_equal(
    model: Path, lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_PART", 4)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    few = ("--set", "batch_size=2")
    assert _predict(model, whole, lab, *few) == 0
    assert _predict(model, cut, lab, *few) == 0
    (cut / "summary.json").unlink()
    (cut / "predictions.csv").unlink()
    parts = sorted((cut / "parts").iterdir())
    assert len(parts) == 3
    parts[1].unlink()
    asked: list[int] = []
    ask = ExportedModel.predict
    monkeypatch.setattr(inference, "_time_bare", lambda *_: 1.0)

    def predict(self: ExportedModel, patches: np.ndarray, **how: bool) -> object:
        asked.append(len(patches))
        return ask(self, patches, **how)

    monkeypatch.setattr(ExportedModel, "predict", predict)
    assert _predict(model, cut, lab, *few) == 0
    # The clock, then the part that was missing, of four or three; the slide is kept.
    assert asked[:2] == [2, 2] and asked[2:] in ([2], [1])
    for name in TABLES:
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize(
    "options, message",
    [
        (
            ["rule=maximum"],
            "rule must be mean with a model of 3 classes, got case_rule",
        ),
        (["rule=top_mean", "top=3"], "For another call, merge the classes to two with"),
        (["case_threshold=0.5"], "case_threshold must be null with a model of 3 cl"),
        (["level=0.5"], "level must be null with 3 classes, got 0.5. Leave it out"),
        (["map_class=gray"], "map_class must be null or one of red, green, blue, got"),
    ],
)
def test_what_needs_one_positive_score_is_refused(
    options: list[str], message: str
) -> None:
    model = ExportedModel(
        Path(), SIZE, COLORS, SIZE, 0, None, None, None, {}, "", _signature=dict
    )
    config = config_io.load(PredictConfig, None, options)
    with pytest.raises(InputError, match=message):
        check_options(config, model)
        choose_calls(config, model)


def test_the_mean_may_be_named() -> None:
    model = ExportedModel(
        Path(), SIZE, COLORS, SIZE, 0, None, None, None, {}, "", _signature=dict
    )
    calls = choose_calls(PredictConfig(rule="mean"), model)
    assert calls.columns == tuple(f"raw_{name}_probability" for name in COLORS)
