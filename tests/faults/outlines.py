"""Spoilt region maps: QuPath GeoJSON, ASAP and Aperio XML, label masks."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

from tests.faults.kinds import Kind
from tests.faults.mutations import nested, spoil_bytes, spoil_tree

CLASSES = ("background", "epithelium", "stroma")
#: (H, W) of the picture that every map is for.
SHAPE = (48, 64)

#: name, its corners: boxes with whole corners, so that the truth is exact.
_Region = tuple[str, list[list[float]]]
#: File name, content, the map that is the one right answer (or None), and the end that
#: is asked for: see ``pictures``.
_Spoilt = tuple[str, bytes, np.ndarray | None, str]


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault and write its map."""
    name = rng.choice(sorted(_FAULTS))
    file, content, truth, must = _FAULTS[name](rng)
    (folder / f"map{file}").write_bytes(content)
    (folder / "truth.json").write_text(json.dumps({"must": must}))
    if truth is not None:
        np.save(folder / "truth.npy", truth)
    return name


def read(folder: Path) -> None:
    """Read it as ``data_prep tissue`` does."""
    from data_prep.sources.region_maps import read_class_map
    from gastric_keras.support.errors import InputError

    must = json.loads((folder / "truth.json").read_text())["must"]
    try:
        found = read_class_map(
            next(folder.glob("map.*")),
            SHAPE,
            classes=CLASSES,
            labels={"Necrosis": "ignore", "Lumen": "hole"},
            mask_values={0: "background", 1: "epithelium", 2: "stroma"},
        )
    except InputError as error:
        assert must != "right", f"refused: {error}"
        raise
    assert must != "refused", f"read as {np.unique(found)}"
    assert found.shape == SHAPE and found.dtype == np.uint8
    assert found.max() <= len(CLASSES), found.max()
    if (folder / "truth.npy").is_file():
        wrong = int((found != np.load(folder / "truth.npy")).sum())
        assert not wrong, f"{wrong} pixels of another class"


def _boxes(rng: random.Random) -> list[_Region]:
    """Disjoint boxes in columns, one a class, in an order of their own."""
    edges = sorted(rng.sample(range(2, SHAPE[1] - 2), 6))
    names = rng.sample(("Background", "Epithelium", "Stroma"), 3)
    regions = []
    for name, left, right in zip(names, edges[::2], edges[1::2]):
        top, bottom = sorted(rng.sample(range(SHAPE[0]), 2))
        ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
        regions.append((name, [[float(x), float(y)] for x, y in ring]))
    return regions


def _truth(regions: list[_Region]) -> np.ndarray:
    values = np.zeros(SHAPE, np.uint8)
    for name, ring in regions:
        xs, ys = np.clip(np.array(ring), 0, SHAPE[::-1]).astype(int).T
        number = CLASSES.index(name.lower()) + 1
        values[ys.min() : ys.max(), xs.min() : xs.max()] = number
    return values


def _geojson(regions: list[_Region]) -> dict[str, Any]:
    features = [
        {
            "type": "Feature",
            "id": f"id-{number}",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {
                "objectType": "annotation",
                "classification": {"name": name, "color": [1, 2, 3]},
            },
        }
        for number, (name, ring) in enumerate(regions)
    ]
    return {"type": "FeatureCollection", "features": features}


def _asap(regions: list[_Region], head: str = "") -> str:
    parts = []
    for name, ring in regions:
        corners = "".join(
            f'<Coordinate Order="{i}" X="{x}" Y="{y}"/>'
            for i, (x, y) in enumerate(ring)
        )
        parts.append(
            f'<Annotation Type="Polygon" PartOfGroup={quoteattr(name)}>'
            f"<Coordinates>{corners}</Coordinates></Annotation>"
        )
    body = "".join(parts)
    return (
        f"{head}<ASAP_Annotations><Annotations>{body}</Annotations></ASAP_Annotations>"
    )


def _aperio(regions: list[_Region], head: str = "") -> str:
    parts = []
    for name, ring in regions:
        corners = "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in ring)
        parts.append(
            f"<Annotation Name={quoteattr(name)}><Regions><Region Type='0'>"
            f"<Vertices>{corners}</Vertices></Region></Regions></Annotation>"
        )
    return f"{head}<Annotations>{''.join(parts)}</Annotations>"


def _written(rng: random.Random, regions: list[_Region]) -> tuple[str, bytes]:
    kind = rng.choice((".geojson", "asap", "aperio"))
    if kind == ".geojson":
        return kind, json.dumps(_geojson(regions)).encode()
    spell = _asap if kind == "asap" else _aperio
    return ".xml", spell(regions).encode()


def _bytes_spoilt(rng: random.Random) -> _Spoilt:
    file, content = _written(rng, _boxes(rng))
    return file, spoil_bytes(rng, content), None, "any"


def _tree_spoilt(rng: random.Random) -> _Spoilt:
    tree = spoil_tree(rng, _geojson(_boxes(rng)))
    return ".geojson", json.dumps(tree).encode(), None, "any"


def _open_ring(rng: random.Random) -> _Spoilt:
    regions = _boxes(rng)
    file, content = _written(rng, [(name, ring[:-1]) for name, ring in regions])
    return file, content, _truth(regions), "right"


def _crossing(rng: random.Random) -> _Spoilt:
    # Two loops that meet in a point: both are kept.
    # A quarter aside, so that no edge runs through the center of a pixel.
    ring = [[0.25, 0.0], [20.25, 20.0], [20.25, 0.0], [0.25, 20.0], [0.25, 0.0]]
    truth = np.zeros(SHAPE, np.uint8)
    ys, xs = np.mgrid[:20, :20] + 0.5
    truth[:20, :20][np.abs(xs - 10.25) > np.abs(ys - 10)] = 3
    file, content = _written(rng, [("Stroma", ring)])
    return file, content, truth, "right"


def _wound_backwards(rng: random.Random) -> _Spoilt:
    regions = _boxes(rng)
    file, content = _written(rng, [(name, ring[::-1]) for name, ring in regions])
    return file, content, _truth(regions), "right"


def _unknown_class(rng: random.Random) -> _Spoilt:
    regions = _boxes(rng)
    odd = rng.choice(("Tumour", "épithélium", "a" * 3000, "Stroma\n", "<b>", "ignore2"))
    regions[rng.randrange(3)] = (odd, regions[0][1])
    if odd == "Stroma\n":
        return (*_written(rng, regions), None, "any")
    return (*_written(rng, regions), None, "refused")


def _ignored(rng: random.Random) -> _Spoilt:
    regions = _boxes(rng)
    file, content = _written(rng, [("Necrosis", regions[0][1]), *regions[1:]])
    return file, content, _truth(regions[1:]), "right"


def _far_away(rng: random.Random) -> _Spoilt:
    """Corners far outside: cut at the edges of the picture."""
    far = rng.choice((1e3, 1e6, 1e9, 1e15, 1e100, 1e300))
    ring = [[-far, -far], [far, -far], [far, far], [-far, far], [-far, -far]]
    truth = np.full(SHAPE, 2, np.uint8)
    return (*_written(rng, [("Epithelium", ring)]), truth, "either")


def _not_finite(rng: random.Random) -> _Spoilt:
    regions = _boxes(rng)
    ring = [list(corner) for corner in regions[0][1]]
    ring[rng.randrange(1, 4)][rng.randrange(2)] = rng.choice(
        (float("nan"), float("inf"), -float("inf"))
    )
    return (*_written(rng, [(regions[0][0], ring)]), None, "refused")


def _too_large_a_number(rng: random.Random) -> _Spoilt:
    content = json.dumps(_geojson(_boxes(rng)))
    number = rng.choice(("1e999", "9" * 5000, "-" + "9" * 400, '"7"', "null", "[]"))
    return ".geojson", content.replace("[[", f"[[{number}, ", 1).encode(), None, "any"


def _entities(rng: random.Random) -> _Spoilt:
    lines = ["<!DOCTYPE x [", '<!ENTITY a0 "ha">']
    for level in range(1, 12):
        lines.append(f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">')
    outside = rng.choice(("file:///etc/passwd", "http://127.0.0.1:9/x"))
    lines.append(f'<!ENTITY out SYSTEM "{outside}">')
    head = '<?xml version="1.0"?>\n' + "\n".join(lines) + "]>"
    name = rng.choice(("&a11;", "&out;", "Stroma"))
    spell = rng.choice((_asap, _aperio))
    content = spell([("MARK", _boxes(rng)[0][1])], head).replace("MARK", name)
    return ".xml", content.encode(), None, "refused"


def _deep(rng: random.Random) -> _Spoilt:
    depth = rng.choice((50, 900, 5_000, 200_000))
    if rng.random() < 0.5:
        content = "[" * depth + "]" * depth
        if rng.random() < 0.5:
            place = json.dumps(_geojson(_boxes(rng)))
            start = place.find("[[[")
            content = place[:start] + content + place[place.find("]]]") + 3 :]
            # Shallow, it is an outline without a corner, which has no area.
            return ".geojson", content.encode(), None, "any"
        return ".geojson", content.encode(), None, "refused"
    body = "<a>" * depth + "</a>" * depth
    root = rng.choice(("ASAP_Annotations", "Annotations", "a"))
    return ".xml", f"<{root}>{body}</{root}>".encode(), None, "any"


def _collections(rng: random.Random) -> _Spoilt:
    """Collections within collections, as deep as GeoJSON lets one write."""
    box = _boxes(rng)[0]
    geometry: Any = {"type": "Polygon", "coordinates": [box[1]]}
    for _ in range(rng.choice((1, 5, 300))):
        geometry = {"type": "GeometryCollection", "geometries": [geometry]}
    tree = _geojson([box])
    tree["features"][0]["geometry"] = geometry
    return ".geojson", json.dumps(tree).encode(), _truth([box]), "either"


def _many_corners(rng: random.Random) -> _Spoilt:
    values = np.random.default_rng(rng.randrange(2**32))
    corners = (values.random((300, 2)) * 60).round(3).tolist()
    corners.append(corners[0])
    return (*_written(rng, [("Stroma", corners)]), None, "any")


def _other_encoding(rng: random.Random) -> _Spoilt:
    regions = _boxes(rng)
    file, content = _written(rng, regions)
    kind = rng.choice(("utf-16", "utf-8-sig", "latin-1"))
    text = content.decode()
    if file == ".xml" and kind != "utf-8-sig":
        text = f'<?xml version="1.0" encoding="{kind}"?>{text}'
    # JSON is UTF-8 by its standard; XML says which encoding it is in.
    must = "refused" if file == ".geojson" and kind == "utf-16" else "right"
    return file, text.encode(kind), _truth(regions), must


def _properties(rng: random.Random) -> _Spoilt:
    tree = _geojson(_boxes(rng))
    feature = rng.choice(tree["features"])
    feature["properties"] = rng.choice(([], "x", 3, nested(5, dict), {"a": [1]}, None))
    return ".geojson", json.dumps(tree).encode(), None, "refused"


def _mask(rng: random.Random) -> _Spoilt:
    values = np.random.default_rng(rng.randrange(2**32)).integers(0, 3, SHAPE)
    stream = io.BytesIO()
    kind = rng.choice(("right", "unknown value", "other size", "color", "spoilt"))
    pixels = values.astype(np.uint8)
    if kind == "unknown value":
        pixels[0, 0] = 77
    elif kind == "other size":
        pixels = pixels[1:]
    elif kind == "color":
        pixels = np.stack([pixels, pixels + 1, pixels], axis=2)
    Image.fromarray(pixels).save(stream, "PNG")
    content = stream.getvalue()
    if kind == "spoilt":
        return ".png", spoil_bytes(rng, content), None, "any"
    must = "right" if kind == "right" else "refused"
    return ".png", content, (values + 1).astype(np.uint8), must


_FAULTS: dict[str, Callable[[random.Random], _Spoilt]] = {
    "bytes cut, flipped, removed or noise": _bytes_spoilt,
    "nodes of GeoJSON replaced or removed": _tree_spoilt,
    "open ring": _open_ring,
    "self-crossing outline": _crossing,
    "ring wound backwards": _wound_backwards,
    "unknown class": _unknown_class,
    "ignored class": _ignored,
    "corners far outside": _far_away,
    "NaN or Inf for a corner": _not_finite,
    "numbers too large, or no numbers": _too_large_a_number,
    "entities, inside and outside": _entities,
    "deep nesting": _deep,
    "collections in collections": _collections,
    "outline of noise": _many_corners,
    "UTF-16, BOM, Latin-1": _other_encoding,
    "properties that are none": _properties,
    "label masks": _mask,
}

KIND = Kind("outlines", write, read)
