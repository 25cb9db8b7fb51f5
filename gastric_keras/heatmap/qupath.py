"""GeoJSON that QuPath opens: regions as annotations, patches as tiles.

QuPath shows of a slide its OpenSlide bounds, and counts from their corner.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

import numpy as np

from gastric_keras.heatmap.patches import PatchPlan
from gastric_keras.heatmap.probability_map import Region
from gastric_keras.serving.exported_answer import Answer

#: Red, green and blue, 0 to 255.
Color = tuple[int, int, int]
#: Of the class that is looked for, and of the other: vermilion and blue of Okabe & Ito.
POSITIVE_COLOR: Color = (213, 94, 0)
OTHER_COLOR: Color = (0, 114, 178)
#: Ids come from the geometry, so that equal runs leave equal files.
_NAMESPACE = uuid.UUID("5d3b5a9e-6c1b-4a53-9a0a-5f0c7c9b8a11")


class Feature(TypedDict):
    """A Feature of GeoJSON, with the properties that QuPath knows."""

    type: str
    id: str
    geometry: Mapping[str, object]
    properties: Mapping[str, object]


def region_features(
    regions: Iterable[Region],
    name: str,
    *,
    corner: tuple[int, int] = (0, 0),
    color: Color = POSITIVE_COLOR,
) -> list[Feature]:
    """Regions as annotations of a class.

    Args:
        regions: outlines in px of the slide at full resolution.
        name: of the class, the positive one of two.
        corner: (x, y) of the bounds of the slide, px.
        color: of the class.

    Returns:
        GeoJSON Features with the properties of QuPath 0.4 and later: objectType,
        classification with name and color, name, measurements.
    """
    from shapely.affinity import translate
    from shapely.geometry import mapping

    x, y = corner

    return [
        _feature(
            "annotation",
            mapping(translate(region.polygon, -x, -y) if x or y else region.polygon),
            label=name,
            color=color,
            measurements={
                f"mean {name} probability": region.mean,
                f"highest {name} probability": region.highest,
            },
            name=f"{name} {number}",
        )
        for number, region in enumerate(regions, start=1)
    ]


def tile_features(
    plan: PatchPlan,
    answer: Answer,
    classes: Sequence[str],
    *,
    colors: Mapping[str, Color],
) -> list[Feature]:
    """Patches as tiles, with their probabilities as measurements.

    Args:
        plan: the patches.
        answer: what the model said of each, in the same order.
        classes: names of those whose probability it says, in order.
        colors: of the classes; the others are of ``OTHER_COLOR``.
    """
    side = plan.side
    features = []
    origins = plan.origins - np.array(plan.corner)
    rows = answer.probability.reshape(len(origins), len(classes))
    for (x, y), row, label in zip(
        origins.tolist(), rows.tolist(), answer.label, strict=True
    ):
        corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)]
        features.append(
            _feature(
                "tile",
                {"type": "Polygon", "coordinates": [corners]},
                label=label,
                color=colors.get(label, OTHER_COLOR),
                measurements={
                    f"{name} probability": probability
                    for name, probability in zip(classes, row, strict=True)
                },
            )
        )
    return features


def collection_of(features: Sequence[Feature]) -> str:
    """Features as the text of one FeatureCollection."""
    collection = {"type": "FeatureCollection", "features": features}
    return json.dumps(collection, separators=(",", ":"), allow_nan=False) + "\n"


def _feature(
    kind: str,
    geometry: Mapping[str, object],
    *,
    label: str,
    color: Color,
    measurements: dict[str, float],
    **properties: str,
) -> Feature:
    identity = uuid.uuid5(_NAMESPACE, json.dumps([kind, label, geometry]))
    return {
        "type": "Feature",
        "id": str(identity),
        "geometry": geometry,
        "properties": {
            "objectType": kind,
            "classification": {"name": label, "color": list(color)},
            **properties,
            "measurements": measurements,
        },
    }
