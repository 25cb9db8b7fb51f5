"""Which outlines count: objects of QuPath, ASAP and Aperio beside plain annotations.

The family: a file that is valid and holds more than a flat list of classed polygons.
Children in every place where QuPath and its scripts put them (``childObjects``,
``children``, a hierarchy, cores of a TMA), objects that are no annotations
(detections, cells with a nucleus, tiles), geometries without an area (points, lines),
other planes, ellipses, collections, names in the text, ignored and derived classes. The
truth is the map of what QuPath itself would call annotations, and the number of each
kind that was passed over.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.kinds import Kind

CLASSES = ("background", "epithelium", "stroma")
#: (H, W) of the picture that every map is for.
SHAPE = (48, 64)
#: Edges of the boxes of the three classes; whole px, so that the truth is exact.
_COLUMNS = ((2, 20), (22, 40), (42, 60))


@dataclass
class _Map:
    """A file in the making, and what is true of it."""

    features: list[dict[str, Any]]
    truth: np.ndarray
    passed_over: Counter[str] = field(default_factory=Counter)
    guessed: int = 0

    def add(self, passed: str, feature: dict[str, Any]) -> None:
        """One more object, that is passed over."""
        self.features.append(feature)
        self.passed_over[passed] += 1


def write(rng: random.Random, folder: Path) -> str:
    """Draw one kind of object and write its map."""
    name = rng.choice(sorted(_FAULTS))
    made = _FAULTS[name](rng, _plain(rng))
    tree: Any = {"type": "FeatureCollection", "features": made.features}
    if rng.random() < 0.2:
        tree = made.features
    if name == "a hierarchy with its root":
        root = _object(None, None, "root", childObjects=made.features)
        tree = {"root": {**root, "geometry": None}}
    (folder / "map.geojson").write_text(json.dumps(tree))
    np.save(folder / "truth.npy", made.truth)
    facts = {"passed over": made.passed_over, "guessed": made.guessed}
    (folder / "truth.json").write_text(json.dumps(facts))
    return name


def read(folder: Path) -> None:
    """Read it as ``data_prep tissue`` does, with and without a class for the rest."""
    from data_prep.sources.region_maps import read_class_map
    from data_prep.sources.regions import read_regions

    truth, path = np.load(folder / "truth.npy"), folder / "map.geojson"
    drawn = read_class_map(path, SHAPE, classes=CLASSES)
    wrong = int((drawn != np.where(truth == 255, 0, truth)).sum())
    assert not wrong, f"{wrong} pixels of another class"
    filled = read_class_map(path, SHAPE, classes=CLASSES, unannotated="background")
    wanted = np.where(truth == 0, 1, np.where(truth == 255, 0, truth))
    assert (filled == wanted).all(), "an ignored area was given to unannotated"
    regions = read_regions(path, classes=CLASSES, labels={})
    facts = json.loads((folder / "truth.json").read_text())
    assert dict(regions.passed_over) == facts["passed over"], regions.passed_over
    assert regions.guessed.total() == facts["guessed"], regions.guessed


def _ring(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def _polygon(*edges: float) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [_ring(*edges)]}


def _object(
    name: str | None, geometry: Any, kind: str = "annotation", **more: Any
) -> dict[str, Any]:
    properties: dict[str, Any] = {"objectType": kind, **more}
    if name is not None:
        properties["classification"] = {"name": name, "color": [1, 2, 3]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _plain(rng: random.Random) -> _Map:
    truth, features = np.zeros(SHAPE, np.uint8), []
    numbers = rng.sample((1, 2, 3), 3)
    for number, (left, right) in zip(numbers, _COLUMNS):
        top, bottom = sorted(rng.sample(range(4, SHAPE[0]), 2))
        name = CLASSES[number - 1].title()
        features.append(_object(name, _polygon(left, top, right, bottom)))
        truth[top:bottom, left:right] = number
    return _Map(features, truth)


def _children(rng: random.Random, made: _Map) -> _Map:
    """Each annotation inside the one before, in a place of its own."""
    inner: list[dict[str, Any]] = []
    for feature in made.features[::-1]:
        if inner:
            place = rng.choice((feature, feature["properties"]))
            listed: Any = inner
            if rng.random() < 0.2:
                listed = {"type": "FeatureCollection", "features": inner}
            place[rng.choice(("childObjects", "children"))] = listed
        inner = [feature]
    made.features = inner
    return made


def _overlapping_children(rng: random.Random, made: _Map) -> _Map:
    """A child within its parent shows, and one of its own parent's size too."""
    edges = (0, 0, SHAPE[1], SHAPE[0])
    twin = _object("Epithelium", _polygon(*edges), childObjects=made.features)
    parent = _object("Stroma", _polygon(*edges), childObjects=[twin])
    truth = np.where(made.truth == 0, 2, made.truth).astype(np.uint8)
    return _Map([parent], truth)


def _deep_children(rng: random.Random, made: _Map) -> _Map:
    for _ in range(rng.choice((3, 30, 100))):
        frame = _object("Region*", _polygon(0, 0, *SHAPE[::-1]))
        frame["properties"]["childObjects"] = made.features
        made.features = [frame]
        made.passed_over["outline of the ignored class Region*"] += 1
    return made


def _hierarchy(rng: random.Random, made: _Map) -> _Map:
    return made


def _cores(rng: random.Random, made: _Map) -> _Map:
    kind = rng.choice(("tmaCore", "tma_core", "TMACoreObject"))
    core = _object(None, _polygon(0, 0, *SHAPE[::-1]), kind, isMissing=False)
    core["properties"]["childObjects"] = made.features
    made.features = []
    made.add("core of a TMA", core)
    return made


def _detections(rng: random.Random, made: _Map) -> _Map:
    for _ in range(rng.randint(1, 5)):
        kind = rng.choice(("detection", "cell", "tile"))
        name = rng.choice(("Epithelium", "Nucleus", None))
        one = _object(name, _polygon(1, 0, 30, 30), kind)
        if kind == "cell":
            one["nucleusGeometry"] = _polygon(2, 1, 5, 5)
        spelled = rng.choice(("objectType", "object_type", "type", "id"))
        if spelled != "objectType":
            del one["properties"]["objectType"]
            legacy = f"Path{kind.title()}Object"
            place = one if spelled == "id" else one["properties"]
            place[spelled] = legacy if spelled == "id" else kind
        holder = made.features[0]["properties"]
        if rng.random() < 0.5:
            holder.setdefault("childObjects", []).append(one)
            made.passed_over[kind] += 1
        else:
            made.add(kind, one)
    return made


def _without_area(rng: random.Random, made: _Map) -> _Map:
    line = [[0, 0], [60, 40], [60, 0], [0, 0]]
    for kind, passed, coordinates in (
        ("Point", "point", [3, 3]),
        ("MultiPoint", "point", line),
        ("LineString", "line", line),
        ("MultiLineString", "line", [line, line]),
        ("Polygon", "outline without an area", [[[0, 0], [9, 9], [3, 3], [0, 0]]]),
        ("", "object without a place", None),
    ):
        for _ in range(rng.randint(0, 2)):
            geometry = {"type": kind, "coordinates": coordinates} if kind else None
            made.add(passed, _object("Stroma", geometry))
    return made


def _planes(rng: random.Random, made: _Map) -> _Map:
    for feature in made.features:
        plane = {"c": rng.choice((-1, 0, 2)), "z": 0, "t": 0}
        feature["geometry"]["plane"] = plane
    axis, place = rng.choice("zt"), rng.randint(1, 9)
    other = _polygon(0, 0, 60, 40) | {"plane": {"c": -1, "z": 0, "t": 0, axis: place}}
    made.add(f"outline at {axis}={place}", _object("Stroma", other))
    return made


def _ellipse(rng: random.Random, made: _Map) -> _Map:
    """A box with ``isEllipse`` is the ellipse that fills it, as QuPath reads it."""
    ellipse = _polygon(10, 4, 50, 44) | {"isEllipse": True}
    truth = np.zeros(SHAPE, np.uint8)
    ys, xs = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    truth[(xs - 30) ** 2 + (ys - 24) ** 2 < 19.99**2] = 3
    return _Map([_object("Stroma", ellipse)], truth)


def _collection(rng: random.Random, made: _Map) -> _Map:
    for feature in made.features:
        line = {"type": "LineString", "coordinates": [[0, 0], [60, 40]]}
        parts = rng.sample([feature["geometry"], line], 2)
        feature["geometry"] = {"type": "GeometryCollection", "geometries": parts}
    return made


def _names_in_text(rng: random.Random, made: _Map) -> _Map:
    for feature in made.features:
        properties = feature["properties"]
        name = properties.pop("classification")["name"]
        properties[rng.choice(("name", "type"))] = f" {name.upper()} "
        properties["classification"] = rng.choice((None, "", {"name": ""}))
    made.guessed = len(made.features)
    return made


def _ignored(rng: random.Random, made: _Map) -> _Map:
    """``Ignore*`` in a region leaves it without a class; ``Region*`` is a frame."""
    name = rng.choice(("Ignore*", "Artefact*", "Stroma: Ignore*"))
    box = made.features[0]["geometry"]["coordinates"][0]
    (left, top), (right, bottom) = box[0], box[2]
    middle = (left + right) // 2
    made.truth[top:bottom, left:middle] = 255
    inner = _object(name, _polygon(left, top, middle, bottom))
    made.add(f"outline of the ignored class {name}", inner)
    frame = _object("Region*", _polygon(0, 0, *SHAPE[::-1]))
    made.add("outline of the ignored class Region*", frame)
    return made


def _derived(rng: random.Random, made: _Map) -> _Map:
    for feature in made.features:
        last = rng.choice(("Positive", "Negative", "1+", "2+", "3+"))
        name = feature["properties"]["classification"]["name"]
        spelled: dict[str, Any] = {"name": f"{name}: {last}"}
        if rng.random() < 0.5:
            spelled = {"names": [name, last]}
        feature["properties"]["classification"] = spelled
    made.guessed = len(made.features)
    return made


def _locked(rng: random.Random, made: _Map) -> _Map:
    for feature in made.features:
        feature["properties"]["isLocked"] = rng.random() < 0.5
        feature["properties"]["measurements"] = {"Area": float(rng.random())}
        feature["properties"]["name"] = rng.choice(("", "Region 1", "Stroma"))
        if rng.random() < 0.5:
            feature["properties"]["objectType"] = "something of a later version"
    return made


_FAULTS: dict[str, Callable[[random.Random, _Map], _Map]] = {
    "children in children": _children,
    "children that overlap": _overlapping_children,
    "children nested deep": _deep_children,
    "a hierarchy with its root": _hierarchy,
    "cores of a TMA": _cores,
    "detections, cells and tiles": _detections,
    "points and lines": _without_area,
    "other planes": _planes,
    "ellipse": _ellipse,
    "collections with lines": _collection,
    "names in the text": _names_in_text,
    "ignored classes": _ignored,
    "derived classes": _derived,
    "locked, named, of an unknown type": _locked,
}

KIND = Kind("outline_objects", write, read)
