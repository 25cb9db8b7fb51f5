"""The outlines of a file with the classes of a set."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.sources import geojson_maps, xml_maps
from data_prep.sources.class_names import NO_CLASS, ClassNames
from gastric_keras.support.errors import InputError


@dataclass(frozen=True)
class Regions:
    """The outlines of one file, each with its number in a class map.

    Attributes:
        drawn: (number, shapely Polygon or MultiPolygon) in file order; the number is
            1…n of a class, 0 of a hole, ``NO_CLASS`` of what QuPath ignores.
        left_out: areas of outlines that were mapped to ``ignore``.
        passed_over: kind -> number of what is no outline of a class.
        guessed: how a class was guessed -> number of outlines.
        counts_from_bounds: as in :class:`Outlines`.
        mpp: as in :class:`Outlines`.
    """

    drawn: list[tuple[int, Any]]
    left_out: list[Any]
    passed_over: Counter[str]
    guessed: Counter[str]
    counts_from_bounds: bool = False
    mpp: float = 0.0

    def moved(self, matrix: tuple[float, ...]) -> Regions:
        """The same by an affine matrix a, b, d, e, x, y: (ax + by + x, dx + ey + y)."""
        from shapely.affinity import affine_transform

        return dataclasses.replace(
            self,
            drawn=[(n, affine_transform(area, matrix)) for n, area in self.drawn],
            left_out=[affine_transform(area, matrix) for area in self.left_out],
        )


def read_regions(
    path: Path | str, *, classes: Sequence[str], labels: Mapping[str, str]
) -> Regions:
    """Read the outlines of a region map: QuPath's GeoJSON, ASAP's or Aperio's XML.

    What is read of each format: :func:`geojson_maps.read_outlines`,
    :func:`xml_maps.read_outlines`. Which class an outline has:
    :class:`~data_prep.sources.class_names.ClassNames`.

    Args:
        path: ``.xml``; all else is read as GeoJSON: a Feature, a list of them or a
            FeatureCollection.
        classes: class names, in label order.
        labels: name in the file -> class, ``ignore``, or ``hole``, which cuts out
            of the regions that it lies in.

    Raises:
        UnusableImage: not such a file.
        InputError: an unknown class; the message says in which file.
    """
    is_xml = Path(path).suffix.lower() == ".xml"
    found = (xml_maps if is_xml else geojson_maps).read_outlines(path)
    names = ClassNames(classes, labels)
    passed_over, guessed = found.passed_over.copy(), Counter[str]()
    drawn, left_out = [], []
    for outline in found.outlines:
        name, guess = names.find(outline)
        try:
            number = names.number(name)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        if guess:
            guessed[guess] += 1
        if name.strip().endswith("*") and number in (None, NO_CLASS):
            passed_over[f"outline of the ignored class {name}"] += 1
        if number is not None:
            drawn.append((number, outline.area))
        elif not name.strip().endswith("*"):
            left_out.append(outline.area)
    return Regions(
        drawn, left_out, passed_over, guessed, found.counts_from_bounds, found.mpp
    )
