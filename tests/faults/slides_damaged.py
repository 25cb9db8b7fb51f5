"""Damaged slides and exported models, as ``--stage heatmap`` reads them."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import json
import random
import shutil
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.faults.kinds import Kind
from tests.faults.mutations import JUNK, cut, flip, nested, scramble, spoil_tree
from tests.faults.odd_models import ODD, write_odd_model

_SIDE, _PIXELS = 32, 192
_SUFFIXES = (".svs", ".tif", ".tiff", ".ndpi", ".scn", ".mrxs", ".bif", ".dcm")
_METADATA = {"mpp": 0.25, "patch_size": 32, "name": "small", "threshold": 0.5}
#: TIFF's numbers of what says how large a picture is and where its tiles lie.
_TAGS = (256, 257, 258, 277, 322, 323, 324, 325)


@functools.cache
def _sound() -> Path:
    """A pyramid in tiles and an exported model, once a worker."""
    from gastric_keras.heatmap import inference as slide_inference
    from tests.helpers.small_exports import write_red_model
    from tests.helpers.small_pictures import write_slide

    # No speed is asked for.
    slide_inference._BARE_SECONDS = 0.0
    folder = Path(tempfile.mkdtemp(prefix="faults-slide-"))
    # Reds of every block of its own, so that no patch passes for another.
    side = _PIXELS // _SIDE
    reds = np.random.default_rng(0).permutation(side**2).reshape(side, side) * 6
    pixels = np.full((_PIXELS, _PIXELS, 3), (0, 40, 160), np.uint8)
    pixels[..., 0] = reds.repeat(_SIDE, 0).repeat(_SIDE, 1)
    write_slide(folder / "slide.tif", pixels)
    write_red_model(folder / "export" / "1", metadata=_METADATA)
    (folder / "export" / "1" / "assets" / "labels.txt").write_text("a\nb\n")
    return folder


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault, and put it into copies of slide and model."""
    from gastric_keras.support.checksums import NAME, write_checksums

    shutil.copytree(_sound(), folder, dirs_exist_ok=True)
    version = folder / "export" / "1"
    if rng.random() < 0.5:
        write_checksums(version)
    name = rng.choice(sorted(_FAULTS))
    must = _FAULTS[name](rng, folder)
    if (version / NAME).is_file() and _content(version) != _content(
        _sound() / "export/1"
    ):
        must = "refused"
    (folder / "truth.json").write_text(json.dumps({"must": must}))
    return name


def _content(version: Path) -> dict[str, bytes]:
    """Every file of a model but the list of checksums."""
    from gastric_keras.support.checksums import NAME

    files = sorted(path for path in version.rglob("*") if path.is_file())
    found = {path.relative_to(version).as_posix(): path.read_bytes() for path in files}
    found.pop(NAME, None)
    return found


def read(folder: Path) -> None:
    """Make the heatmap, and compare its patches with those of the sound ones."""
    from gastric_keras.support.errors import InputError

    must = json.loads((folder / "truth.json").read_text())["must"]
    slides = list(folder.glob("slide*")) or [folder / "slide.tif"]
    try:
        found = _read_patches(slides[0], folder / "export", folder / "out")
    except InputError as error:
        assert must != "right", f"refused: {error}"
        summary = folder / "out" / "summary.json"
        assert not summary.exists(), "a heatmap that passes for whole"
        raise
    assert must != "refused", f"{len(found)} patches read"
    assert all(0 <= p <= 1 for p in found.values()), "no probability"
    if must in ("right", "either"):
        wanted = _truth()
        assert found.keys() == wanted.keys(), "other patches"
        worst = max(abs(found[at] - wanted[at]) for at in wanted)
        assert worst < 1e-3, f"probabilities differ by {worst}"


@functools.cache
def _truth() -> dict[tuple[str, str], float]:
    with tempfile.TemporaryDirectory() as out:
        sound = _sound()
        return _read_patches(sound / "slide.tif", sound / "export", Path(out))


def _read_patches(slide: Path, model: Path, out: Path) -> dict[tuple[str, str], float]:
    from gastric_keras.config.heatmap import HeatmapConfig
    from gastric_keras.heatmap.stage import run_heatmap

    # All of it, glass too: what counts as tissue hangs on the level that is looked at.
    config = HeatmapConfig(side=_SIDE, min_tissue=0.0, readers=1, batch_size=8)
    with contextlib.redirect_stdout(io.StringIO()):
        run_heatmap(config, slide=[slide], model=model, out=out)
    json.loads((out / "heatmap.geojson").read_text())
    with open(out / "patches.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {(r["x"], r["y"]): float(r["malignant_probability"]) for r in rows}


def _none(rng: random.Random, folder: Path) -> str:
    return "right"


def _cut(rng: random.Random, folder: Path) -> str:
    path = folder / "slide.tif"
    path.write_bytes(cut(rng, path.read_bytes()))
    return "either"


def _flipped(rng: random.Random, folder: Path) -> str:
    path = folder / "slide.tif"
    data = path.read_bytes()
    # Half of them where the file says what it holds, not in its pixels.
    if rng.random() < 0.5:
        place = _directory(data)
        path.write_bytes(
            data[:place] + flip(rng, data[place : place + 200]) + data[place + 200 :]
        )
    else:
        path.write_bytes(flip(rng, data))
    return "any"


def _scrambled(rng: random.Random, folder: Path) -> str:
    path = folder / "slide.tif"
    path.write_bytes(scramble(rng, path.read_bytes()))
    return "any"


def _directory(data: bytes) -> int:
    """Where the list of the first level's tags begins."""
    return int(struct.unpack("<I", data[4:8])[0])


def _lying(rng: random.Random, folder: Path) -> str:
    """Sizes, tiles and offsets that are not true."""
    path = folder / "slide.tif"
    data = bytearray(path.read_bytes())
    start = _directory(data)
    for number in range(struct.unpack("<H", data[start : start + 2])[0]):
        place = start + 2 + 12 * number
        tag, kind, count, _ = struct.unpack("<HHII", data[place : place + 12])
        if tag == rng.choice(_TAGS) or rng.random() < 0.1:
            value = rng.choice((0, 1, 63, 70_000, 2**31 - 1, 2**32 - 1))
            value &= 0xFFFF if kind == 3 else 0xFFFFFFFF
            data[place + 8 : place + 12] = struct.pack("<I", value)
    path.write_bytes(data)
    return "any"


def _no_slide(rng: random.Random, folder: Path) -> str:
    path = folder / "slide.tif"
    path.unlink()
    path = path.with_suffix(rng.choice(_SUFFIXES))
    kind = rng.choice(("folder", "gone", "loop", "file"))
    if kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "file":
        odd = (b"", b"\0" * 999, b"some text", b"II*\0", b"<html/>", rng.randbytes(500))
        path.write_bytes(rng.choice(odd))
    return "refused"


def _wrong_suffix(rng: random.Random, folder: Path) -> str:
    path = folder / "slide.tif"
    path.rename(path.with_suffix(rng.choice((*_SUFFIXES, ".png", ".jpg", ""))))
    return "either"


def _model_file(rng: random.Random, folder: Path) -> Path:
    names = ("saved_model.pb", "variables/variables.index")
    names += ("variables/variables.data-00000-of-00001",)
    return folder / "export" / "1" / rng.choice(names)


def _model_gone(rng: random.Random, folder: Path) -> str:
    version = folder / "export" / "1"
    spare = ("fingerprint.pb", "assets/labels.txt", "assets/metadata.json", "assets")
    if rng.random() < 0.4:
        path = version / rng.choice(spare)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        # They say more of the model, but it does without them.
        return "right"
    path = _model_file(rng, folder)
    path.unlink()
    if rng.random() < 0.3:
        path.mkdir()
    return "refused"


def _model_cut(rng: random.Random, folder: Path) -> str:
    path = _model_file(rng, folder)
    path.write_bytes(cut(rng, path.read_bytes()))
    return "either"


def _model_flipped(rng: random.Random, folder: Path) -> str:
    path = _model_file(rng, folder)
    spoil = rng.choice((flip, scramble))
    path.write_bytes(spoil(rng, path.read_bytes()))
    # A graph has no checksum of its own.
    return "any" if path.suffix == ".pb" else "either"


def _model_list(rng: random.Random, folder: Path) -> str:
    """A list of checksums that is none, or not of this model."""
    from gastric_keras.support.checksums import NAME, write_checksums

    path = folder / "export" / "1" / NAME
    write_checksums(path.parent)
    lines = path.read_text().splitlines()
    kind = rng.choice(("digit", "path", "bytes", "fewer"))
    if kind == "fewer":
        lines.remove(rng.choice(lines))
        path.write_text("\n".join(lines))
        return "right"
    if kind == "bytes":
        before = path.read_bytes()
        path.write_bytes(scramble(rng, before))
        # Whole lines may go, and the rest be sound.
        return "either"
    at = rng.randrange(len(lines))
    digest, name = lines[at].split("  ")
    odd = rng.choice((f"../1/{name}", str(path.parent / name), "", "a\0b", "none"))
    other = "".join(rng.choices("0123456789abcdef", k=64))
    lines[at] = f"{other}  {name}" if kind == "digit" else f"{digest}  {odd}"
    path.write_text("\n".join(lines))
    return "refused"


def _model_none(rng: random.Random, folder: Path) -> str:
    shutil.rmtree(folder / "export")
    kind = rng.choice(("gone", "file", "empty", "text"))
    if kind == "file":
        (folder / "export").write_text("a model")
    elif kind != "gone":
        (folder / "export" / "1").mkdir(parents=True)
        if kind == "text":
            (folder / "export" / "1" / "saved_model.pb").write_text("a model")
    return "refused"


def _metadata(rng: random.Random, folder: Path) -> str:
    path = folder / "export" / "1" / "assets" / "metadata.json"
    values = (*JUNK, 2**40, 10**9, 20_000, 0.5, "32", [32], 1e-300)
    key = rng.choice(("mpp", "patch_size"))
    kind = rng.choice(("value", "tree", "junk", "bytes"))
    if kind == "value":
        path.write_text(json.dumps(_METADATA | {key: rng.choice(values)}))
    elif kind == "tree":
        path.write_text(json.dumps(spoil_tree(rng, _METADATA)))
    elif kind == "junk":
        path.write_text(rng.choice((json.dumps(nested(900)), "[" * 99_999, "[]", "3")))
    else:
        path.write_bytes(scramble(rng, path.read_bytes()))
    return "any"


def _odd_model(rng: random.Random, folder: Path) -> str:
    shutil.rmtree(folder / "export" / "1")
    name = rng.choice(sorted(ODD))
    shutil.copytree(write_odd_model(name), folder / "export" / "1")
    return "refused"


_FAULTS: dict[str, Callable[[random.Random, Path], str]] = {
    "none: a sound slide": _none,
    "slide cut short": _cut,
    "slide, bits flipped": _flipped,
    "slide, parts removed or noise": _scrambled,
    "slide, tags that lie": _lying,
    "no slide": _no_slide,
    "slide of another suffix": _wrong_suffix,
    "files of the model gone": _model_gone,
    "model cut short": _model_cut,
    "model, bits flipped or noise": _model_flipped,
    "list of checksums": _model_list,
    "no model": _model_none,
    "metadata of the model": _metadata,
    "a model that answers otherwise": _odd_model,
}

KIND = Kind("slides", write, read, needs_tensorflow=True)
