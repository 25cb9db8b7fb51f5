"""Sets whose scale is doubtful: an mpp that lost or gained a factor of ten, one that no
microscope has, scales mixed or partly unknown within a source, whole pictures that are
not square; and ordinary sets, which must pass without a word.

The truth is what the build must say of the set: nothing, a warning with certain words,
or a refusal.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
from pathlib import Path

import numpy as np

from tests.faults.kinds import Kind
from tests.helpers.small_pictures import write_picture, write_slide

#: What must be said -> words of the warning.
_WORDS = {
    "impossible": "give a scale that no microscope has",
    "rare": "have a scale beyond",
    "spread": "the scale within",
    "unknown": "is not known, first",
    "oblong": "not square",
}


def write(rng: random.Random, folder: Path) -> str:
    """Draw a scale and a way to give it; write pictures and their index."""
    name = rng.choice(sorted(_FAULTS))
    scales, in_config, must, shape = _FAULTS[name](rng)
    rows = ["path,label,case_id"]
    for i in range(8):
        pixels = (
            np.random.default_rng(i).integers(60, 200, (*shape, 3)).astype(np.uint8)
        )
        mpp = scales[i % len(scales)]
        if in_config or not mpp:
            path = write_picture(folder / f"p{i}.png", pixels)
        else:
            path = write_slide(folder / f"p{i}.tif", pixels, mpp=(mpp, mpp))
        rows.append(f"{path.name},{('benign', 'malignant')[i % 2]},c{i}")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    truth = {"must": must, "mpp": scales[0] if in_config else None}
    truth["patch_size"] = 0 if must == "oblong" or name == "square" else 32
    (folder / "truth.json").write_text(json.dumps(truth))
    return name


def read(folder: Path) -> None:
    """Make the target set as data_prep does, and listen."""
    from data_prep.config.sets import SourceConfig, SplitConfig, TargetSetConfig
    from data_prep.engine import Engine
    from data_prep.sets.build import BuildOptions, build_target_set
    from gastric_keras.support.errors import InputError

    truth = json.loads((folder / "truth.json").read_text())
    said = io.StringIO()
    try:
        source = SourceConfig(
            str(folder), index=str(folder / "index.csv"), mpp=truth["mpp"]
        )
        config = TargetSetConfig(
            sources=(source,),
            patch_size=truth["patch_size"],
            artifacts=None,
            min_slide_tissue=0,
            splits=SplitConfig(0.5, 0.5, 0.0),
        )
        with contextlib.redirect_stderr(said):
            manifest = build_target_set(
                config, folder / "set", options=BuildOptions(Engine(workers=1))
            )
    except InputError as error:
        assert truth["must"] == "refused", f"refused: {error}"
        raise
    assert truth["must"] != "refused", "a set was made"
    warnings = [w for w in said.getvalue().splitlines() if w.startswith("Warning:")]
    if truth["must"] == "nothing":
        assert not warnings, warnings
    else:
        words = _WORDS[truth["must"]]
        assert any(words in warning for warning in warnings), warnings
        kept = manifest.config["ledger"]["warnings"]
        assert any(words in warning for warning in kept), kept
    if truth["must"] == "impossible":
        assert manifest.mpp == 0.0, manifest.mpp


#: Scales of the pictures in turn, whether the config gives them, what must be said, and
#: (height, width).
_Drawn = tuple[list[float], bool, str, tuple[int, int]]
_SHAPE = (64, 64)


def _usual(rng: random.Random) -> float:
    return rng.choice((0.22, 0.25, 0.5, 0.88, 1.0, 2.0))


def _ordinary(rng: random.Random) -> _Drawn:
    return [_usual(rng)], rng.random() < 0.5, "nothing", _SHAPE


def _jitter(rng: random.Random) -> _Drawn:
    # One scanner's slides differ in the third digit.
    mpp = _usual(rng)
    return [mpp, mpp * 1.004, mpp * 0.997], False, "nothing", _SHAPE


def _impossible_in_config(rng: random.Random) -> _Drawn:
    return [rng.choice((0.0025, 0.025, 25.0, 250.0, 352.8))], True, "refused", _SHAPE


def _impossible_in_file(rng: random.Random) -> _Drawn:
    return (
        [rng.choice((0.025, 0.0499, 25.0, 264.6, 352.8))],
        False,
        "impossible",
        _SHAPE,
    )


def _rare(rng: random.Random) -> _Drawn:
    return [rng.choice((0.051, 0.09, 4.5, 9.9))], rng.random() < 0.5, "rare", _SHAPE


def _mixed(rng: random.Random) -> _Drawn:
    mpp = rng.choice((0.2, 0.25, 0.35))
    return [mpp, mpp * rng.choice((1.6, 2, 4, 10))], False, "spread", _SHAPE


def _partly_unknown(rng: random.Random) -> _Drawn:
    return [_usual(rng), 0.0], False, "unknown", _SHAPE


def _oblong(rng: random.Random) -> _Drawn:
    shape = rng.choice(((48, 64), (64, 48), (36, 64), (63, 64)))
    return [0.5], True, "oblong", shape


def _square(rng: random.Random) -> _Drawn:
    return [0.5], True, "nothing", _SHAPE


_FAULTS = {
    "ordinary": _ordinary,
    "jitter": _jitter,
    "impossible in the config": _impossible_in_config,
    "impossible in the file": _impossible_in_file,
    "rare": _rare,
    "mixed": _mixed,
    "partly unknown": _partly_unknown,
    "oblong": _oblong,
    "square": _square,
}

KIND = Kind("scales", write, read)
