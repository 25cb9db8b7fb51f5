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
from gastric_keras.serving.exported_model import Answer

#: Of the class that is looked for, and of the other: vermilion and blue of Okabe & Ito.
POSITIVE_COLOR, OTHER_COLOR = (213, 94, 0), (0, 114, 178)
#: Ids come from the geometry, so that equal runs leave equal files.
_NAMESPACE = uuid.UUID("5d3b5a9e-6c1b-4a53-9a0a-5f0c7c9b8a11")


class Feature(TypedDict):
    """A Feature of GeoJSON, with the properties that QuPath knows."""

    type: str
    id: str
    geometry: Mapping[str, object]
    properties: Mapping[str, object]


def region_features(
    regions: Iterable[Region], positive: str, *, corner: tuple[int, int] = (0, 0)
) -> list[Feature]:
    """Regions as annotations of the positive class.

    Args:
        regions: outlines in px of the slide at full resolution.
        positive: name of the class.
        corner: (x, y) of the bounds of the slide, px.

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
            label=positive,
            color=POSITIVE_COLOR,
            measurements={
                f"mean {positive} probability": region.mean,
                f"highest {positive} probability": region.highest,
            },
            name=f"{positive} {number}",
        )
        for number, region in enumerate(regions, start=1)
    ]


def tile_features(plan: PatchPlan, answer: Answer, positive: str) -> list[Feature]:
    """Patches as tiles, with their probability as a measurement.

    Args:
        plan: the patches.
        answer: what the model said of each, in the same order.
        positive: name of the positive class.
    """
    side = plan.side
    features = []
    origins = plan.origins - np.array(plan.corner)
    for (x, y), probability, label in zip(
        origins.tolist(), answer.probability, answer.label, strict=True
    ):
        corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)]
        features.append(
            _feature(
                "tile",
                {"type": "Polygon", "coordinates": [corners]},
                label=label,
                color=POSITIVE_COLOR if label == positive else OTHER_COLOR,
                measurements={f"{positive} probability": float(probability)},
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
    color: tuple[int, int, int],
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
