"""Where outlines lie: the frame they were drawn in against that of their picture.

The family: a file of valid outlines whose coordinates count from elsewhere. Slides with
OpenSlide bounds, where QuPath counts from the corner of the bounds and ASAP, ImageScope
and HALO from the corner of the slide; label masks of the bounds or of the whole slide;
exports at a lower or a higher scale, of a larger picture, shifted, negative, wholly
outside, on bare glass, or empty. The truth is the class that was painted into each
patch: a set must have it, or the picture is refused, or a warning names the fault.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.faults.kinds import Kind
from tests.faults.outlines import _aperio, _asap

CLASSES = ("epithelium", "stroma")
#: Colors of the classes and of the glass; and the side of a patch.
_COLORS = ((90, 40, 140), (230, 130, 180))
_GLASS = 245
_SIDE = 32

#: Class and edges (left, top, right, bottom) of an outline.
_Box = tuple[str, tuple[float, float, float, float]]


@dataclass
class _Case:
    """A picture with its map, and what must come of them.

    Attributes:
        corner: of the part that has pixels, on a slide; None is a plain picture.
        boxes: outlines in px of that part.
        move: factor and shift, by which the file is wrong.
        must: ``right`` with no word, ``told`` by a warning, or ``refused``.
        words: that the warning must have.
        unannotated: of the config.
        origin: of the config.
    """

    boxes: list[_Box]
    corner: tuple[int, int] | None = None
    move: tuple[float, float, float] = (1, 0, 0)
    must: str = "right"
    words: str = ""
    unannotated: str | None = None
    origin: str = "auto"
    suffix: str = ".geojson"


def write(rng: random.Random, folder: Path) -> str:
    """Draw one frame, and write picture and map."""
    from tests.helpers.small_pictures import write_picture, write_scn

    name = rng.choice(sorted(_FAULTS))
    pixels, boxes = _paint(rng)
    case = _FAULTS[name](rng, boxes)
    if case.corner is None:
        write_picture(folder / "picture.png", pixels)
    else:
        x, y = case.corner
        size = (x + pixels.shape[1] + 64, y + pixels.shape[0] + 32)
        write_scn(folder / "picture.scn", [(x, y, pixels)], size)
    factor, dx, dy = case.move
    moved = [
        (name, [factor * c + (dx, dy)[i % 2] for i, c in enumerate(edges)])
        for name, edges in case.boxes
    ]
    _write_map(folder, case, moved, pixels.shape[:2])
    facts = {
        name: getattr(case, name) for name in ("must", "words", "unannotated", "origin")
    }
    (folder / "truth.json").write_text(json.dumps(facts))
    return name


def read(folder: Path) -> None:
    """Find the patches as ``data_prep tissue`` does."""
    from data_prep.config.sets import SourceConfig, TissueSetConfig
    from data_prep.sets.found import Part
    from data_prep.sets.look import find_tissue
    from data_prep.sources.pictures import ImageSource
    from gastric_keras.imaging.slides import open_picture
    from gastric_keras.support.errors import InputError

    facts = json.loads((folder / "truth.json").read_text())
    picture = next(folder.glob("picture.*"))
    source = SourceConfig(
        images=str(folder),
        unannotated=facts["unannotated"],
        annotation_origin=facts["origin"],
        mask_values={0: "ignore", 1: CLASSES[0], 2: CLASSES[1]},
    )
    config = TissueSetConfig(
        sources=(source,), classes=CLASSES, patch_size=_SIDE, artifacts=None
    )
    image = ImageSource(picture, "a", "a", annotation=next(folder.glob("map.*")))
    try:
        found = find_tissue(config, Part(image))
    except InputError as error:
        assert facts["must"] == "refused", f"refused: {error}"
        raise
    assert facts["must"] != "refused", f"{len(found.refs)} patches"
    said = " ".join(found.warnings)
    if facts["must"] == "told":
        assert facts["words"] in said, f"said: {said!r}"
        return
    assert not said, f"false alarm: {said}"
    assert found.refs, "no patch"
    with open_picture(picture) as opened:
        for ref in found.refs:
            middle = opened.read(ref.x, ref.y, _SIDE, _SIDE)[8:24, 8:24].mean((0, 1))
            apart = np.abs(np.array(_COLORS) - middle).sum(axis=1)
            assert apart.argmin() == ref.label, f"{ref}: the other class"
            assert apart.min() < 60, f"{ref}: no tissue"


def _paint(rng: random.Random) -> tuple[np.ndarray, list[_Box]]:
    """Two stripes of tissue over most of a picture, of whole patches."""
    rows, columns = rng.randint(4, 8), rng.randint(6, 10)
    pixels = np.full((rows * _SIDE, columns * _SIDE, 3), _GLASS, np.uint8)
    middle = rng.randint(2, columns - 3)
    boxes: list[_Box] = []
    ends = ((0, middle), (middle, columns - 1))
    for name, color, (left, right) in zip(CLASSES, _COLORS, ends):
        edges = (left * _SIDE, 0, right * _SIDE, (rows - 1) * _SIDE)
        pixels[edges[1] : edges[3], edges[0] : edges[2]] = color
        boxes.append((name, edges))
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, 3, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8), boxes


def _write_map(
    folder: Path,
    case: _Case,
    boxes: Sequence[tuple[str, list[float]]],
    shape: tuple[int, int],
) -> None:
    rings = []
    for name, (left, top, right, bottom) in boxes:
        ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
        rings.append((name, ring))
    if case.suffix in ("asap", "aperio"):
        spell = _asap if case.suffix == "asap" else _aperio
        (folder / "map.xml").write_text(spell(rings))
    elif case.suffix == ".geojson":
        features: list[Any] = [
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": {
                    "objectType": "annotation",
                    "classification": {"name": name.title()},
                },
            }
            for name, ring in rings
        ]
        (folder / "map.geojson").write_text(json.dumps(features))
    else:
        x, y = case.corner or (0, 0)
        whole = (y + shape[0] + 32, x + shape[1] + 64)
        is_whole = case.suffix == "mask of the slide"
        values = np.zeros(whole if is_whole else shape, np.uint8)
        for name, edges in boxes:
            left, top, right, bottom = map(int, edges)
            values[top:bottom, left:right] = CLASSES.index(name) + 1
        Image.fromarray(values).save(folder / "map.png")


def _corner(rng: random.Random) -> tuple[int, int]:
    return rng.randrange(0, 300), rng.randrange(1, 300)


def _right(rng: random.Random, boxes: list[_Box]) -> _Case:
    return _Case(boxes, suffix=rng.choice((".geojson", "asap", "aperio", "mask")))


def _qupath_bounds(rng: random.Random, boxes: list[_Box]) -> _Case:
    return _Case(boxes, _corner(rng), origin=rng.choice(("auto", "bounds")))


def _slide_corner(rng: random.Random, boxes: list[_Box]) -> _Case:
    corner = _corner(rng)
    suffix, origin = rng.choice(
        (("asap", "auto"), ("aperio", "slide"), (".geojson", "slide"))
    )
    return _Case(boxes, corner, (1, *corner), origin=origin, suffix=suffix)


def _mask_of_bounds(rng: random.Random, boxes: list[_Box]) -> _Case:
    return _Case(boxes, _corner(rng), suffix="mask of the bounds")


def _mask_of_slide(rng: random.Random, boxes: list[_Box]) -> _Case:
    corner = _corner(rng)
    return _Case(boxes, corner, (1, *corner), suffix="mask of the slide")


def _enlarged(rng: random.Random, boxes: list[_Box]) -> _Case:
    factor = rng.choice((2, 4, 8, 16))
    corner = rng.choice((None, _corner(rng)))
    words = f"they fit when divided by {factor}"
    if factor == 2:
        # Near the middle it may be that a smaller factor fits, or little is outside.
        words = "lies outside"
    return _Case(boxes, corner, (factor, 0, 0), "told", words)


def _shrunken(rng: random.Random, boxes: list[_Box]) -> _Case:
    """On all of the picture, down to the edge: the copy ends where it does."""
    factor = rng.choice((2, 4, 8))
    right, bottom = boxes[1][1][2] + _SIDE, boxes[1][1][3] + _SIDE
    whole: list[_Box] = [("stroma", (0, 0, right, bottom))]
    words = f"they fit when multiplied by {factor}"
    return _Case(whole, None, (1 / factor, 0, 0), "told", words)


def _shrunken_in_glass(rng: random.Random, boxes: list[_Box]) -> _Case:
    """On all of the tissue: the ends of outlines and tissue tell the factor."""
    factor = rng.choice((2.0, 3.96, 4.0, 7.3))
    corner = rng.choice((None, _corner(rng)))
    # How exact the factor is depends on the view of the tissue.
    words = "in a corner of the tissue and cover all of it when multiplied by"
    return _Case(boxes, corner, (1 / factor, 0, 0), "told", words)


def _in_shares(rng: random.Random, boxes: list[_Box]) -> _Case:
    """Of width and height, from 0 to 1; as if of a slide of 1 px."""
    unannotated = rng.choice((None, "stroma"))
    must = "told" if unannotated is None else "refused"
    factor = 1 / max(boxes[1][1])
    words = "in shares of width and height"
    return _Case(boxes, None, (factor, 0, 0), must, words, unannotated)


def _too_small(rng: random.Random, boxes: list[_Box]) -> _Case:
    spot: list[_Box] = [("epithelium", (4, 4, 4 + rng.randint(4, 24), 20))]
    return _Case(spot, None, (1, 0, 0), "told", "less than a patch of 32×32 px")


def _twice(rng: random.Random, boxes: list[_Box]) -> _Case:
    """One place under both classes, or two that cross."""
    left, top, right, bottom = boxes[0][1]
    if rng.random() < 0.5:
        more: _Box = ("stroma", (left, top, right, bottom))
        words = "the same outline under two classes (epithelium and stroma)"
    else:
        more = ("stroma", (left + 16, top, boxes[1][1][2] - 1, bottom))
        words = "outlines of two classes cross on"
    case = _Case([boxes[0], more], None, (1, 0, 0), "told", words)
    case.suffix = rng.choice((".geojson", "asap"))
    return case


def _outside(rng: random.Random, boxes: list[_Box]) -> _Case:
    far = rng.choice(((4000, 4000), (-4000, -10), (0, -5000), (10**6, 0)))
    unannotated = rng.choice((None, "stroma"))
    must = "told" if unannotated is None else "refused"
    corner = rng.choice((None, _corner(rng)))
    words = "no outline lies inside"
    return _Case(boxes, corner, (1, *far), must, words, unannotated)


def _empty(rng: random.Random, boxes: list[_Box]) -> _Case:
    unannotated = rng.choice((None, "stroma"))
    must = "told" if unannotated is None else "refused"
    suffix = rng.choice((".geojson", "asap", "aperio"))
    words = "no outline of a class"
    return _Case([], None, (1, 0, 0), must, words, unannotated, suffix=suffix)


def _partly_outside(rng: random.Random, boxes: list[_Box]) -> _Case:
    width = boxes[1][1][2]
    if rng.random() < 0.5:
        # As far as a hand slips: no alarm.
        return _Case(boxes, None, (1, -0.02 * width, 0))
    return _Case(boxes, None, (1, -0.3 * width, 0), "told", "lies outside")


def _on_glass(rng: random.Random, boxes: list[_Box]) -> _Case:
    right, bottom = boxes[1][1][2], boxes[1][1][3]
    strip: list[_Box] = [("stroma", (right + 4, 0, right + _SIDE - 4, bottom))]
    return _Case(strip, None, (1, 0, 0), "told", "the rest is glass")


def _wrong_origin(rng: random.Random, boxes: list[_Box]) -> _Case:
    """ASAP's outlines in GeoJSON: the bounds are added although they are in."""
    corner = (rng.randrange(350, 400), rng.randrange(300, 400))
    words = "counted from the corner of the slide: set annotation_origin: slide"
    return _Case(boxes, corner, (1, *corner), "told", words)


_FAULTS: dict[str, Callable[[random.Random, list[_Box]], _Case]] = {
    "in its place": _right,
    "QuPath's, from the bounds": _qupath_bounds,
    "from the corner of the slide": _slide_corner,
    "mask of the bounds": _mask_of_bounds,
    "mask of the slide": _mask_of_slide,
    "of a larger picture": _enlarged,
    "of a smaller copy": _shrunken,
    "of a smaller copy, with glass": _shrunken_in_glass,
    "in shares of the picture": _in_shares,
    "smaller than a patch": _too_small,
    "one place, two classes": _twice,
    "outside": _outside,
    "empty": _empty,
    "partly outside": _partly_outside,
    "on bare glass": _on_glass,
    "from another origin": _wrong_origin,
}

KIND = Kind("outline_places", write, read)
