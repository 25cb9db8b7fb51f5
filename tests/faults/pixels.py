"""Pictures whose pixels mean something else: data_prep, served model, heatmap alike."""

from __future__ import annotations

import functools
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.kinds import Kind
from tests.faults.pixel_families import FAMILIES
from tests.faults.pixel_truth import SIDE

#: Of a probability.
_TOLERANCE = 1e-4


@functools.cache
def _model() -> tuple[Any, Any]:
    """AlexNet at its smallest: as the heatmap loads it, and as a server does."""
    import tensorflow as tf

    from gastric_keras.serving.exported_model import load_exported
    from tests.faults.requests import write_small_export

    folder = Path(tempfile.mkdtemp(prefix="faults-pixels-")) / "1"
    write_small_export(folder)
    served = tf.saved_model.load(str(folder))
    return load_exported(folder), served


def write(rng: random.Random, folder: Path) -> str:
    """Draw one member of a family and write its file."""
    name = rng.choice(sorted(FAMILIES))
    data, truth, note = FAMILIES[name](rng)
    (folder / f"picture{_suffix(data)}").write_bytes(data)
    (folder / "note.json").write_text(json.dumps(note))
    if truth is not None:
        np.save(folder / "truth.npy", truth)
    return name


def read(folder: Path) -> None:
    """Read it in each of the three ways, and compare."""
    from gastric_keras.imaging.images import decode, encode_png
    from gastric_keras.support.errors import InputError

    path = next(folder.glob("picture*"))
    data = path.read_bytes()
    is_right = (folder / "truth.npy").is_file()
    try:
        decoded = decode(data, name=path.name)
    except InputError as error:
        assert not is_right, f"refused: {error}"
        assert _served(data) is None, "the served model answers"
        raise
    assert is_right, f"read as {decoded.pixels.shape}, {decoded.notes}"
    truth = np.load(folder / "truth.npy")
    assert decoded.pixels.shape == truth.shape, decoded.pixels.shape
    difference = np.abs(decoded.pixels.astype(int) - truth).max()
    assert difference <= 1, f"pixels differ by {difference}"
    note = json.loads((folder / "note.json").read_text())
    assert decoded.notes == ((note,) if note else ()), decoded.notes
    answers = {"stored": _served(encode_png(decoded.pixels)), "heatmap": _mapped(path)}
    if data[:4] == b"\x89PNG" or data[:2] == b"\xff\xd8":
        answers["served"] = _served(data)
    wanted = answers["stored"]
    for name, answer in answers.items():
        assert answer is not None, f"{name} is refused"
        assert abs(answer - wanted) <= _TOLERANCE, f"{name}: {answer}, not {wanted}"


def _suffix(data: bytes) -> str:
    marks = {b"\x89PN": ".png", b"\xff\xd8\xff": ".jpg", b"BM": ".bmp"}
    for mark, suffix in marks.items():
        if data.startswith(mark):
            return suffix
    return ".tif" if data[:2] in (b"II", b"MM") else ".png"


def _served(data: bytes) -> float | None:
    """The answer to a file; None where the graph refuses it in words of its own."""
    import tensorflow as tf

    from tests.faults.requests import SENSIBLE

    serve = _model()[1].signatures["serving_default"]
    try:
        answer = serve(image_bytes=tf.constant([data]))
    except tf.errors.InvalidArgumentError as error:
        assert SENSIBLE.search(str(error.message)), f"in words of no use: {error}"
        return None
    return float(answer["malignant_probability"][0])


def _mapped(path: Path) -> float:
    """The answer of the heatmap to a picture of one patch."""
    from gastric_keras.heatmap.patches import patch_batches, plan_patches
    from gastric_keras.imaging.slides import open_picture

    model = _model()[0]
    with open_picture(path) as picture:
        plan = plan_patches(picture, SIDE, stride=1.0, min_tissue=0.0)
        batches = patch_batches(
            picture, plan, patch_size=SIDE, size=model.size, batch_size=1, readers=1
        )
        found = [model.predict(patches).probability for _, patches in batches]
    assert len(found) == 1
    return float(found[0][0])


KIND = Kind("pixels", write, read, needs_tensorflow=True)
