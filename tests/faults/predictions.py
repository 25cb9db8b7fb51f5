"""Spoilt pictures, indexes and options for ``--stage predict``."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

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
        self.red: dict[str, float] = {}
        for number in range(_PICTURES):
            pixels = noise(number, _SIDE, _SIDE)
            pixels[..., 0] = 40 + 50 * number
            self.files[f"p{number}.png"] = encode_png(pixels)
            self.red[f"p{number}.png"] = 40 + 50 * number
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
        del lab.red[name]  # Read as what it still is, or set aside.

    return fault


def _no_file(rng: random.Random, lab: _Lab) -> None:
    name = rng.choice(sorted(lab.files))
    del lab.files[name], lab.red[name]


def _nothing(rng: random.Random, lab: _Lab) -> None:
    lab.files, lab.red = {}, {}
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
    truth = {"must": lab.must, "red": lab.red, "options": lab.options}
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
                model=_model(),
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
    import math

    from tests.helpers.small_exports import SLOPE

    with open(out / "predictions.csv", newline="") as stream:
        found = {row["image_id"]: row for row in csv.DictReader(stream)}
    with open(out / "set_aside.csv", newline="") as stream:
        aside = {row["image_id"] for row in csv.DictReader(stream)}
    assert not aside & set(found), "predicted and set aside"
    if truth["must"] == "right":
        assert set(found) == set(truth["red"]) and not aside
    for name, red in truth["red"].items():
        if name in found:
            wanted = 1 / (1 + math.exp(-SLOPE * (red / 255 - 0.5)))
            assert abs(float(found[name]["malignant_probability"]) - wanted) < 1e-3
    for name, case in truth["cases"].items():
        assert found[name]["case_id"] == case, name


KIND = Kind("predictions", write, read, needs_tensorflow=True)
