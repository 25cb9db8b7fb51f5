"""Pictures and slides by a model whose answer is known for each patch."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gastric_keras import run
from gastric_keras.heatmap import inference
from gastric_keras.prediction import pictures
from gastric_keras.serving.exported_model import Answer, ExportedModel
from gastric_keras.support.files import locked, read_json
from tests.helpers.small_exports import SIZE, THRESHOLD, answer_of, write_red_model
from tests.helpers.small_pictures import noise, write_picture, write_slide

METADATA = {
    "classes": ["benign", "malignant"],
    "raw_threshold": THRESHOLD,
    "patch_size": SIZE,
    "case_calls": {
        "rule": "mean",
        "top": 2,
        "thresholds": {"mean": THRESHOLD, "maximum": 0.8, "top_mean": 0.6},
        "validation_cases": 9,
    },
}
TABLES = ("predictions.csv", "pictures.csv", "cases.csv", "set_aside.csv")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "export"
    write_red_model(folder / "1", metadata=METADATA)
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "_BARE_SECONDS", 0.01)


def _red(seed: int, side: int = SIZE) -> np.ndarray:
    """A picture of more or less red, by its seed."""
    pixels = noise(seed, side, side)
    pixels[..., 0] = 40 + 17 * seed % 200
    return pixels


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven pictures of three cases, a folder each."""
    root = tmp_path_factory.mktemp("lab")
    for number in range(11):
        name = root / f"case{number % 3}" / f"p{number:02}.png"
        write_picture(name, _red(number))
    return root


def _predict(model: Path, out: Path, images: list[Path], *more: str) -> int:
    command = ["--stage", "predict", "--model", str(model), "--out", str(out)]
    return run.main([*command, "--images", *map(str, images), *more])


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def _tables(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in TABLES}


FOLDER = ("--set", "case_pattern='([^/]+)/[^/]+$'")


def test_patches_pictures_and_cases(
    model: Path, lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(model, tmp_path, [lab], *FOLDER, "--set", "batch_size=4") == 0
    rows = _rows(tmp_path / "predictions.csv")
    assert len(rows) == 11
    truth: dict[str, list[float]] = {}
    for row in rows:
        number = int(row["image_id"][-6:-4])
        assert row["image_id"] == f"case{number % 3}/p{number:02}.png"
        assert row["case_id"] == f"case{number % 3}"
        wanted = answer_of(_red(number))
        for column in ("malignant_probability", "raw_malignant_probability"):
            assert float(row[column]) == pytest.approx(wanted, abs=1e-4)
        assert row["label"] == ("malignant" if wanted >= THRESHOLD else "benign")
        size = [row[name] for name in ("x", "y", "width", "height")]
        assert size == ["0", "0", str(SIZE), str(SIZE)]
        truth.setdefault(row["case_id"], []).append(wanted)
    for row in _rows(tmp_path / "cases.csv"):
        scores = truth[row["case_id"]]
        mean = float(np.mean(scores))
        assert float(row["malignant_score"]) == pytest.approx(mean, abs=1e-4)
        assert row["label"] == ("malignant" if mean >= THRESHOLD else "benign")
        assert int(row["patches"]) == int(row["pictures"]) == len(scores)
        assert int(row["patches_malignant"]) == sum(s >= THRESHOLD for s in scores)
    labels = {row["image_id"]: row["label"] for row in rows}
    found = {r["image_id"]: r["label"] for r in _rows(tmp_path / "pictures.csv")}
    assert found == labels
    summary = read_json(tmp_path / "summary.json")
    assert summary["totals"]["cases"] == 3 and summary["set_aside"] == 0
    said = capsys.readouterr().out
    assert "mean of its patches at or above 0.500" in said and "pictures/s" in said
    # Again: nothing to do.
    assert _predict(model, tmp_path, [lab], *FOLDER, "--set", "batch_size=4") == 0
    assert f"predict: finished, see {tmp_path}" in capsys.readouterr().out


def _asked(monkeypatch: pytest.MonkeyPatch, *, most: int = 10**6) -> list[int]:
    """Sizes of the batches that the model is asked; interrupted after ``most``."""
    asked: list[int] = []
    ask: Callable[..., Answer] = ExportedModel.predict

    def predict(self: ExportedModel, patches: np.ndarray, **how: bool) -> Answer:
        if len(asked) >= most:
            raise KeyboardInterrupt
        asked.append(len(patches))
        return ask(self, patches, **how)

    monkeypatch.setattr(ExportedModel, "predict", predict)
    # The clock asks too; here only what is predicted counts.
    monkeypatch.setattr(inference, "_time_bare", lambda *_: 1.0)
    return asked


def test_what_was_interrupted_goes_on_and_ends_equal(
    model: Path, lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_PART", 4)
    broken = lab / "case1" / "broken.png"
    few = ("--set", "batch_size=2", *FOLDER)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    broken.write_bytes(b"no picture")
    try:
        assert _predict(model, whole, [lab], *few) == 0
        with monkeypatch.context() as patch:
            # One asks the clock; of three parts of two batches the first is whole.
            _asked(patch, most=4)
            assert _predict(model, cut, [lab], *few) == 130
        assert not (cut / "summary.json").exists()
        assert len(list((cut / "parts").iterdir())) == 1
        with monkeypatch.context() as patch:
            asked = _asked(patch)
            assert _predict(model, cut, [lab], *few) == 0
            assert asked == [2] * 5
    finally:
        broken.unlink()
    assert _tables(cut) == _tables(whole)
    assert len(_rows(cut / "predictions.csv")) == 11


def test_another_rule_asks_the_model_no_more(
    model: Path,
    lab: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _predict(model, tmp_path, [lab], *FOLDER) == 0
    rows = _rows(tmp_path / "predictions.csv")
    raw: dict[str, list[float]] = {}
    for row in rows:
        score = float(row["raw_malignant_probability"])
        raw.setdefault(row["case_id"], []).append(score)
    before = (tmp_path / "predictions.csv").read_bytes()
    asked = _asked(monkeypatch)
    for rule, threshold, score in (
        ("maximum", 0.8, max),
        ("top_mean", 0.6, lambda s: np.mean(sorted(s)[-2:])),
    ):
        assert _predict(model, tmp_path, [lab], *FOLDER, "--set", f"rule={rule}") == 0
        for row in _rows(tmp_path / "cases.csv"):
            wanted = score(raw[row["case_id"]])
            assert float(row["malignant_score"]) == pytest.approx(wanted)
            assert row["label"] == ("malignant" if wanted >= threshold else "benign")
    assert "chosen on 9 cases of validation" in capsys.readouterr().out
    own = ("--set", "rule=any_of", "--set", "case_threshold=0.3")
    assert _predict(model, tmp_path, [lab], *FOLDER, *own) == 0
    for row in _rows(tmp_path / "cases.csv"):
        wanted = np.mean([s >= THRESHOLD for s in raw[row["case_id"]]])
        assert float(row["malignant_score"]) == pytest.approx(wanted)
        assert row["label"] == ("malignant" if wanted >= 0.3 else "benign")
    assert not asked and (tmp_path / "predictions.csv").read_bytes() == before
    assert _predict(model, tmp_path, [lab], "--force") == 0
    assert asked


def test_files_are_predicted_as_their_folder_is(
    model: Path, lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted(lab.rglob("*.png"))
    assert _predict(model, tmp_path / "a", [lab]) == 0
    # In any order, one of them named twice.
    assert _predict(model, tmp_path / "b", [*files[::-1], files[0]]) == 0
    assert _tables(tmp_path / "a") == _tables(tmp_path / "b")
    said = capsys.readouterr().out
    assert "left out: 1 × files named twice" in said
    assert "assumed: 11 × pictures of unknown case, each its own case" in said
    assert len(_rows(tmp_path / "a" / "cases.csv")) == 11


def test_an_index_tells_the_cases(
    model: Path, lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = tmp_path / "index.csv"
    rows = ["file;patient", "case0/p00.png;P 1", "case1/P01.png;P 1", ";"]
    rows += ["case2/p02.png;p-01", "case0/none.png;P 2", "case1/p04.png;?"]
    index.write_text("\n".join(rows) + "\n")
    columns = ("--set", "path_column=file", "--set", "case_column=patient")
    out = tmp_path / "out"
    assert _predict(model, out, [lab], "--cases", str(index), *columns) == 0
    cases = {r["image_id"]: r["case_id"] for r in _rows(out / "predictions.csv")}
    assert cases == {
        "case0/p00.png": "P 1",
        "case1/p01.png": "P 1",
        "case2/p02.png": "p-01",
        "case1/p04.png": "case1/p04.png",
    }
    (aside,) = _rows(out / "set_aside.csv")
    assert aside["image_id"] == "case0/none.png" and "no such file" in aside["reason"]
    said = capsys.readouterr()
    for words in (
        "assumed: 1 × index.csv is separated by semicolons",
        "assumed: 1 × case '?' means not known",
        "assumed: 1 × paths of the index in other letter case",
        "left out: 7 × pictures beside those of index.csv, in no row",
        "left out: 1 × blank rows of index.csv",
    ):
        assert words in said.out, words
    assert "may be one patient: 'P 1' = 'p-01'" in said.err


def test_what_cannot_be_read_is_counted_by_reason_and_the_rest_goes_on(
    model: Path, lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pictures"
    good = write_picture(folder / "good.png", _red(3))
    data = good.read_bytes()
    (folder / "cut.png").write_bytes(data[: len(data) // 2])
    (folder / "text.jpg").write_bytes(b"no picture")
    (folder / "other.txt").write_text("not read")
    (folder / "old.gif").write_bytes(b"GIF89a")
    assert _predict(model, tmp_path / "out", [folder]) == 0
    rows = _rows(tmp_path / "out" / "set_aside.csv")
    assert [row["image_id"] for row in rows] == ["cut.png", "text.jpg"]
    assert all(", got " in row["reason"] for row in rows)
    (row,) = _rows(tmp_path / "out" / "predictions.csv")
    assert float(row["malignant_probability"]) == pytest.approx(
        answer_of(_red(3)), abs=1e-4
    )
    said = capsys.readouterr()
    assert "Warning: 2 of 3 pictures and slides cannot be read" in said.err
    assert "left out: 1 × files of suffix .txt, not read" in said.out
    assert "files in" in said.err and "1 .gif. Convert them" in said.err
    good.unlink()
    assert _predict(model, tmp_path / "out", [folder]) == 2
    said = capsys.readouterr()
    assert "At least one picture or slide must be readable, got 2" in said.err
    assert not (tmp_path / "out" / "summary.json").exists()


def test_slides_are_mapped_and_called(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    pixels = np.full((64, 96, 3), (60, 30, 150), np.uint8)
    pixels[:, 48:] = (220, 60, 160)
    write_slide(folder / "a.tif", pixels)
    write_slide(folder / "empty.tif", np.full((64, 64, 3), 240, np.uint8))
    write_picture(folder / "p.png", _red(5))
    side = ("--set", "side=16", "--set", "batch_size=8")
    assert _predict(model, tmp_path / "out", [folder], *side) == 0
    rows = _rows(tmp_path / "out" / "predictions.csv")
    assert [row["image_id"] for row in rows] == ["p.png"] + ["a.tif"] * 24
    command = ["--stage", "heatmap", "--slide", str(folder / "a.tif")]
    command += ["--model", str(model), "--out", str(tmp_path / "map")]
    assert run.main([*command, *side]) == 0
    for name in ("patches.csv", "probability.npy", "heatmap.geojson", "overlay.png"):
        held = (tmp_path / "out" / "slides" / "a.tif" / name).read_bytes()
        assert held == (tmp_path / "map" / name).read_bytes()
    found = {r["image_id"]: r for r in _rows(tmp_path / "out" / "pictures.csv")}
    scores = [answer_of(pixels[:16, :16]), answer_of(pixels[:16, 48:])]
    assert float(found["a.tif"]["malignant_score"]) == pytest.approx(
        np.mean(scores), abs=1e-3
    )
    assert found["a.tif"]["patches_malignant"] == "12"
    (aside,) = _rows(tmp_path / "out" / "set_aside.csv")
    assert aside["image_id"] == "empty.tif" and "25% tissue" in aside["reason"]


def test_pictures_can_be_cut_as_slides_are(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = write_picture(tmp_path / "large.png", _red(7, 32))
    assert _predict(model, tmp_path / "whole", [picture]) == 0
    said = capsys.readouterr().err
    assert "1 pictures are of a size far from that of the training patches" in said
    assert f"--set pictures=slide --set side={SIZE}" in said
    cut = ("--set", "pictures=slide", "--set", f"side={SIZE}", "--set", "min_tissue=0")
    assert _predict(model, tmp_path / "cut", [picture], *cut) == 0
    assert len(_rows(tmp_path / "cut" / "predictions.csv")) == 16


@pytest.mark.parametrize(
    "options, message",
    [
        (("--set", "side=16"), "side must apply to a slide, got side=16, slides=0"),
        (("--set", "rule=any_of"), "must carry a threshold for the rule, got case_ru"),
        (("--set", "rule=median"), "rule must be one of mean, maximum, top_mean, any"),
        (("--set", "rule=top_mean", "--set", "top=3"), "for the rule, got case_rule="),
        (("--set", "top=3"), "top must come with rule=top_mean, got 3. No other"),
        (("--set", "case_threshold=2"), "case_threshold must be in [0, 1], got 2.0."),
        (("--set", "case_pattern='('"), "case_pattern must be a regular expression"),
        (("--set", "case_pattern=case"), "must have a group around the case, got"),
        (("--set", "case_pattern='(x)'"), "Each path must hold the case, got case0/"),
        (("--set", "case_column=c"), "case_column must come with an index, got 'c'."),
        (("--cases", "none.csv"), "The index must be a CSV file, got index=none.csv"),
    ],
)
def test_a_mistake_is_told_before_anything_is_predicted(
    model: Path,
    lab: Path,
    tmp_path: Path,
    options: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _predict(model, tmp_path / "out", [lab], *options) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and message in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "text, message",
    [
        ("path,case\n", "must have the columns path and case_id once, got"),
        ("path,case_id\n", "must have a row for each picture, got index="),
        (
            "path,case_id\ncase0/p00.png,a\n./case0/p00.png,b\n",
            "Each picture must be of one case, got image='case0/p00.png', cases=['a',",
        ),
        ("path,case_id\ncase0/p00.png,1.2E+14\n", "Each case must be written in full"),
    ],
)
def test_an_index_that_is_none_is_told(
    model: Path,
    lab: Path,
    tmp_path: Path,
    text: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    index = tmp_path / "index.csv"
    index.write_text(text)
    assert _predict(model, tmp_path / "out", [lab], "--cases", str(index)) == 2
    assert message in capsys.readouterr().err


def test_an_index_counts_from_one_folder_and_tells_the_case_alone(
    model: Path, lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = tmp_path / "index.csv"
    index.write_text("path,case_id\ncase0/p00.png,a\n")
    cases = ("--cases", str(index))
    picture = lab / "case0" / "p00.png"
    assert _predict(model, tmp_path / "out", [picture], *cases) == 2
    assert "--images must be one folder with --cases" in capsys.readouterr().err
    assert _predict(model, tmp_path / "out", [lab], *cases, *FOLDER) == 2
    assert "The case must be told once, by --cases or" in capsys.readouterr().err
    (tmp_path / "none").mkdir()
    assert _predict(model, tmp_path / "out", [tmp_path / "none"]) == 2
    assert "--images must have pictures or slides (.png" in capsys.readouterr().err


def test_a_model_that_tells_less_scores_cases_by_what_it_tells(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = write_red_model(tmp_path / "bare" / "1")
    assert _predict(bare, tmp_path / "out", [lab], *FOLDER) == 0
    assert "does not tell the network's own prob" in capsys.readouterr().err
    rows = _rows(tmp_path / "out" / "predictions.csv")
    assert "raw_malignant_probability" not in rows[0]
    labels = {row["label"] for row in _rows(tmp_path / "out" / "cases.csv")}
    assert labels <= {"malignant", "not malignant"}


def test_a_model_that_answers_nan_is_told(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = write_red_model(tmp_path / "1", slope=np.nan)
    assert _predict(broken, tmp_path / "out", [lab]) == 2
    assert "for each patch, got not_finite=" in capsys.readouterr().err


def test_parts_changed_by_hand_and_a_folder_in_use_are_told(
    model: Path, lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(model, tmp_path, [lab]) == 0
    (part,) = (tmp_path / "parts").iterdir()
    part.write_text("\n".join(part.read_text().splitlines()[:-1]) + "\n")
    capsys.readouterr()
    assert _predict(model, tmp_path, [lab], *FOLDER) == 2
    assert "A part must hold the answers to 11 pictures" in capsys.readouterr().err
    with locked(tmp_path / ".lock", folder="", way_out=""):
        assert _predict(model, tmp_path, [lab]) == 2
    assert "folder of predictions must not be in use" in capsys.readouterr().err
