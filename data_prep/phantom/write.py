"""The phantom: synthetic H&E written as the ordinary files of a lab.

Region images with QuPath annotations and target images with labels, so that the demo
walks the same road as real data. See `data_prep.phantom.tissue` for the drawing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from shapely.geometry import mapping

from data_prep.phantom.config import PhantomConfig
from data_prep.phantom.glands import CLASSES, polygons
from data_prep.phantom.tissue import PhantomImage, Stain, draw_region, draw_stain
from gastric_keras.support.config_io import save
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import write_atomic, write_csv

TARGET_CLASSES = ("benign", "malignant")
# Of every five cases of a class: three to train, one to validate, one to test.
_SPLIT_OF_CASE = ("train", "validation", "test", "train", "train")
_COLORS = {"Background": [220, 220, 220], "Epithelium": [160, 32, 240]}


def write_phantom(out: Path, config: PhantomConfig = PhantomConfig()) -> None:
    """Write a phantom as a lab would hand it over.

    ``out/regions`` holds ``images/*.png``, ``geojson/*.geojson`` (QuPath, classes
    Background, Epithelium, Stroma) and ``index.csv`` (path, geojson, case_id);
    ``out/target`` holds ``images/*.png`` and ``index.csv`` (path, label, case_id,
    split). Paths are relative to the folder of the index. The cases of the regions
    and of each split share nothing. Equal configs give equal bytes.

    Args:
        out: the folder; made if need be.
        config: how many pictures, of which size.

    Raises:
        InputError: the folder already holds pictures of another phantom.
    """
    out = Path(out)
    regions = _region_names(config)
    targets = _target_names(config)
    _refuse_strangers(out / "regions" / "images", [f"{name}.png" for name in regions])
    _refuse_strangers(out / "target" / "images", [f"{row[0]}.png" for row in targets])
    save(config, out / "phantom.yaml")
    rows = []
    for index, name in enumerate(regions):
        case = index % config.region_cases
        picture = _draw(config, set_id=0, case=case, index=index)
        _write_png(out / "regions" / "images" / f"{name}.png", picture.image)
        write_atomic(
            out / "regions" / "geojson" / f"{name}.geojson",
            json.dumps(to_geojson(picture)) + "\n",
        )
        rows.append((f"images/{name}.png", f"geojson/{name}.geojson", _case(0, case)))
    write_csv(out / "regions" / "index.csv", ("path", "geojson", "case_id"), rows)
    target_rows = []
    for index, (name, case, label, split) in enumerate(targets):
        picture = _draw(config, set_id=1, case=case, index=index)
        _write_png(out / "target" / "images" / f"{name}.png", picture.image)
        target_rows.append((f"images/{name}.png", label, _case(1, case), split))
    write_csv(
        out / "target" / "index.csv", ("path", "label", "case_id", "split"), target_rows
    )


def to_geojson(picture: PhantomImage) -> dict[str, Any]:
    """The region map of a picture as a QuPath FeatureCollection, in px."""
    features = []
    for name, geometry in zip(CLASSES, picture.regions, strict=True):
        for part in polygons(geometry):
            features.append(
                {
                    "type": "Feature",
                    "geometry": mapping(part),
                    "properties": {
                        "objectType": "annotation",
                        "classification": {
                            "name": name,
                            "color": _COLORS.get(name, [0, 160, 80]),
                        },
                    },
                }
            )
    return {"type": "FeatureCollection", "features": features}


def draw_target(
    rng: np.random.Generator,
    size: int = 112,
    *,
    label: str,
    stain: Stain = Stain(),
    case_severity: float = 0.0,
) -> PhantomImage:
    """Draw one target picture.

    Benign and malignant overlap: severity is normal around -1.2 or 1.2 with a
    deviation of 1 over all pictures, so that no network can be right every time.

    Args:
        rng: where chance comes from.
        size: side in px.
        label: benign or malignant.
        stain: of the case.
        case_severity: what the case adds to the severity of its class.

    Returns:
        The picture and its truth.

    Raises:
        InputError: another label.
    """
    if label not in TARGET_CLASSES:
        raise InputError(
            f"label must be one of {', '.join(TARGET_CLASSES)}, got {label!r}. Fix the "
            "label."
        )
    mean = 1.2 if label == "malignant" else -1.2
    severity = mean + case_severity + rng.normal(0, 0.8)
    return draw_region(rng, size, severity=severity, stain=stain, margin=0.0)


def _draw(config: PhantomConfig, *, set_id: int, case: int, index: int) -> PhantomImage:
    case_rng = np.random.default_rng([config.seed, set_id, 0, case])
    rng = np.random.default_rng([config.seed, set_id, 1, index])
    stain = draw_stain(case_rng, variation=config.stain_variation)
    spread = float(case_rng.normal(0, 0.6))
    if set_id:
        label = TARGET_CLASSES[case % 2]
        return draw_target(
            rng, config.target_size, label=label, stain=stain, case_severity=spread
        )
    # Region images are of either kind: their map does not ask which.
    severity = (1.2 if case % 2 else -1.2) + spread
    margin = float(rng.uniform(0.1, 0.3))
    return draw_region(
        rng, config.region_size, severity=severity, stain=stain, margin=margin
    )


def _region_names(config: PhantomConfig) -> list[str]:
    return [f"region-{index:03d}" for index in range(config.regions)]


def _target_names(config: PhantomConfig) -> list[tuple[str, int, str, str]]:
    rows = []
    for index in range(config.target_images):
        case = index % config.target_cases
        label = TARGET_CLASSES[case % 2]
        split = _SPLIT_OF_CASE[case // 2 % len(_SPLIT_OF_CASE)]
        rows.append((f"target-{index:04d}", case, label, split))
    return rows


def _case(set_id: int, case: int) -> str:
    return f"{('region', 'target')[set_id]}-case-{case:03d}"


def _refuse_strangers(folder: Path, names: Sequence[str]) -> None:
    strangers = sorted({path.name for path in folder.glob("*")} - set(names))
    if strangers:
        raise InputError(
            "The folder of a phantom must be empty or hold the same phantom, got "
            f"{folder} with {len(strangers)} other files, such as {strangers[0]}. "
            "Delete that folder or name another one."
        )


def _write_png(path: Path, image: npt.NDArray[np.uint8]) -> None:
    encoded = cv2.imencode(".png", image[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])
    write_atomic(path, encoded[1].tobytes())
