"""Spoilt pictures, indexes and options for ``--stage predict``."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from tests.faults.kinds import Kind
from tests.faults.mutations import cut, flip, scramble

_PICTURES = 4
_SIDE = 8


class _Lab:
    """What one case asks for: pictures, rows of the index, options, and the truth."""

    def __init__(self) -> None:
        from gastric_keras.imaging.images import encode_png
        from tests.helpers.small_pictures import noise

        self.files: dict[str, bytes] = {}
        self.colors: dict[str, list[float]] = {}
        self.classes: Any = ["benign", "malignant"]
        for number in range(_PICTURES):
            pixels = noise(number, _SIDE, _SIDE)
            pixels[..., 0] = 40 + 50 * number
            self.files[f"p{number}.png"] = encode_png(pixels)
            self.colors[f"p{number}.png"] = pixels.mean(axis=(0, 1)).tolist()
        self.header = ["path", "case_id"]
        self.rows = [[name, f"case {i % 2}"] for i, name in enumerate(self.files)]
        self.separator = ","
        self.options: dict[str, Any] = {}
        self.has_index = True
        self.must = ""

    @property
    def cases(self) -> dict[str, str]:
        return {row[0]: row[1] for row in self.rows if row[0] in self.files}


_Fault = Callable[[random.Random, _Lab], None]


def _spoilt(change: Callable[[random.Random, bytes], bytes]) -> _Fault:
    def fault(rng: random.Random, lab: _Lab) -> None:
        name = rng.choice(sorted(lab.files))
        lab.files[name] = change(rng, lab.files[name])
        del lab.colors[name]  # Read as what it still is, or set aside.

    return fault


def _no_file(rng: random.Random, lab: _Lab) -> None:
    name = rng.choice(sorted(lab.files))
    del lab.files[name], lab.colors[name]


def _nothing(rng: random.Random, lab: _Lab) -> None:
    lab.files, lab.colors = {}, {}
    lab.has_index = rng.random() < 0.5
    lab.must = "refused"


def _two_cases(rng: random.Random, lab: _Lab) -> None:
    lab.rows.append([rng.choice(lab.rows)[0], "case 9"])
    lab.must = "refused"


def _twice(rng: random.Random, lab: _Lab) -> None:
    lab.rows.append(list(rng.choice(lab.rows)))
    lab.must = "right"


def _column(rng: random.Random, lab: _Lab) -> None:
    lab.header[rng.randrange(2)] = rng.choice(["", "patient", "path ", "Pfad", "path"])
    lab.must = "refused" if sorted(map(str.strip, lab.header)) != _HEADER else ""


_HEADER = ["case_id", "path"]


def _separator(rng: random.Random, lab: _Lab) -> None:
    lab.separator = rng.choice(";\t")
    lab.must = "right"


def _no_rows(rng: random.Random, lab: _Lab) -> None:
    lab.rows = []
    lab.must = "refused"


def _short_row(rng: random.Random, lab: _Lab) -> None:
    row = rng.choice(lab.rows)
    lab.rows[lab.rows.index(row)] = row[: rng.randrange(2)]


def _option(key: str, *values: Any) -> _Fault:
    def fault(rng: random.Random, lab: _Lab) -> None:
        lab.options[key] = rng.choice(values)
        lab.must = "refused"

    return fault


def _pattern(rng: random.Random, lab: _Lab) -> None:
    lab.has_index = False
    lab.options["case_pattern"] = rng.choice(["(", "p", "(q)", "(?P<a>", "[", "*", "("])
    lab.must = "refused"


def _sound(rng: random.Random, lab: _Lab) -> None:
    lab.has_index = rng.random() < 0.5
    lab.options["batch_size"] = rng.choice([1, 3, 64])
    lab.must = "right"


def _of_several(fault: _Fault) -> _Fault:
    """The same of a model of three classes."""

    def of_several(rng: random.Random, lab: _Lab) -> None:
        fault(rng, lab)
        lab.classes = list(_COLORS)

    return of_several


_COLORS = ("red", "green", "blue")
_BAD_NAMES = (["red", "green"], ["red", "red", "blue"], ["green", "red", "blue"])


def _names(rng: random.Random, lab: _Lab) -> None:
    lab.classes = rng.choice([*_BAD_NAMES, dict.fromkeys(_COLORS, 0)])
    lab.must = "refused"


_FAULTS: dict[str, _Fault] = {
    "sound": _sound,
    "picture cut": _spoilt(cut),
    "picture with bits turned": _spoilt(flip),
    "picture scrambled": _spoilt(scramble),
    "picture of no bytes": _spoilt(lambda rng, data: b""),
    "picture of text": _spoilt(lambda rng, data: b"no picture"),
    "picture missing": _no_file,
    "no picture": _nothing,
    "picture of two cases": _two_cases,
    "row twice": _twice,
    "another column": _column,
    "another separator": _separator,
    "no rows": _no_rows,
    "row cut": _short_row,
    "rule": _option("rule", "median", "any_of", "top_mean", 3, ""),
    "threshold": _option("case_threshold", -0.1, 1.5, "high", float("nan")),
    "top": _option("top", 0, -1, 2, "two"),
    "batch": _option("batch_size", 0, -3, "many"),
    "pattern": _pattern,
    "classes, sound": _of_several(_sound),
    "classes, picture with bits turned": _of_several(_spoilt(flip)),
    "classes, rule": _of_several(_option("rule", "maximum", "any_of", "top_mean")),
    "classes, threshold": _of_several(_option("case_threshold", 0, 0.5, 1)),
    "classes, level": _of_several(_option("level", 0.1, 0.5, 1)),
    "classes, map": _of_several(_option("map_class", "gray", "Red", 0, "malignant")),
    "classes, names": _names,
}


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault, and write pictures, index and options."""
    name = rng.choice(sorted(_FAULTS))
    lab = _Lab()
    _FAULTS[name](rng, lab)
    (folder / "pictures").mkdir()
    for each, data in lab.files.items():
        (folder / "pictures" / each).write_bytes(data)
    if lab.has_index:
        with open(folder / "index.csv", "w", newline="") as stream:
            writer = csv.writer(stream, delimiter=lab.separator)
            writer.writerows([lab.header, *lab.rows])
    truth = {"must": lab.must, "colors": lab.colors, "options": lab.options}
    truth["classes"] = lab.classes
    truth["cases"] = lab.cases if lab.has_index and lab.must == "right" else {}
    (folder / "truth.json").write_text(json.dumps(truth))
    return name


@functools.cache
def _model() -> Path:
    from tests.helpers.small_exports import THRESHOLD, write_red_model

    metadata = {
        "classes": ["benign", "malignant"],
        "raw_threshold": THRESHOLD,
        "patch_size": _SIDE,
        "case_calls": {
            "rule": "mean",
            "top": 2,
            "thresholds": {"mean": THRESHOLD, "maximum": 0.8},
            "validation_cases": 9,
        },
    }
    folder = Path(tempfile.mkdtemp(prefix="faults-model-"))
    return write_red_model(folder / "1", metadata=metadata).parent


@functools.cache
def _model_of(classes: str) -> Path:
    """An export whose metadata name these classes, as JSON."""
    from tests.helpers.small_exports import color_export

    if json.loads(classes) == ["benign", "malignant"]:
        return _model()
    folder = Path(tempfile.mkdtemp(prefix="faults-model-")) / "1"
    shutil.copytree(color_export(), folder)
    path = folder / "assets" / "metadata.json"
    metadata = json.loads(path.read_text()) | {"classes": json.loads(classes)}
    path.write_text(json.dumps(metadata))
    return folder.parent


@functools.cache
def _loaded(folder: Path) -> Any:
    from gastric_keras.serving.exported_model import load_exported

    return load_exported(folder)


def read(folder: Path) -> None:
    """Predict as the stage does, the model loaded once, and hold it to the truth."""
    from gastric_keras.config.predict import PredictConfig
    from gastric_keras.heatmap import inference
    from gastric_keras.prediction import stage
    from gastric_keras.support import config_io
    from gastric_keras.support.errors import InputError

    truth = json.loads((folder / "truth.json").read_text())
    index = folder / "index.csv"
    out = folder / "out"
    overrides = [f"{key}={json.dumps(v)}" for key, v in truth["options"].items()]
    try:
        with (
            mock.patch.object(stage, "load_exported", _loaded),
            mock.patch.object(inference, "_BARE_SECONDS", 0.01),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            stage.run_predict(
                config_io.load(PredictConfig, None, overrides),
                images=[folder / "pictures"],
                model=_model_of(json.dumps(truth["classes"])),
                out=out,
                cases=index if index.exists() else None,
            )
    except InputError as error:
        assert truth["must"] != "right", f"refused: {error}"
        assert not (out / "summary.json").exists(), "refused, with a summary"
        raise
    assert truth["must"] != "refused", "it was taken"
    _hold(out, truth)


def _hold(out: Path, truth: dict[str, Any]) -> None:
    """Every sound picture has its answer and its case; each other one is told."""
    from tests.helpers.small_exports import answer_of, raw_colors_of

    with open(out / "predictions.csv", newline="") as stream:
        found = {row["image_id"]: row for row in csv.DictReader(stream)}
    with open(out / "set_aside.csv", newline="") as stream:
        aside = {row["image_id"] for row in csv.DictReader(stream)}
    assert not aside & set(found), "predicted and set aside"
    if truth["must"] == "right":
        assert set(found) == set(truth["colors"]) and not aside
    for name, color in truth["colors"].items():
        if name not in found:
            continue
        patch = np.array(color)[None, None]
        wanted = {"malignant": answer_of(patch)}
        if truth["classes"] == list(_COLORS):
            wanted = dict(zip(_COLORS, raw_colors_of(patch), strict=True))
            assert found[name]["label"] == max(wanted, key=lambda each: wanted[each])
        for each, value in wanted.items():
            told = float(found[name][f"raw_{each}_probability"])
            assert abs(told - value) < 1e-3
    for name, case in truth["cases"].items():
        assert found[name]["case_id"] == case, name


KIND = Kind("predictions", write, read, needs_tensorflow=True)
