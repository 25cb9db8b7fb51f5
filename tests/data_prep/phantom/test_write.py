"""The phantom: its truth holds to the pixel, and its files are what a lab has."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from shapely.geometry import shape

from data_prep.phantom.config import PhantomConfig
from data_prep.phantom.glands import BACKGROUND, CLASSES, EPITHELIUM
from data_prep.phantom.tissue import PhantomImage, Stain, draw_region
from data_prep.phantom.write import draw_target, write_phantom
from gastric_keras.imaging.stain import rgb_from_stains, separate_stains
from gastric_keras.support.errors import InputError

SMALL = PhantomConfig(
    regions=3,
    region_cases=2,
    region_size=160,
    target_images=24,
    target_cases=12,
    target_size=64,
)


@pytest.fixture(scope="module")
def region() -> PhantomImage:
    return draw_region(np.random.default_rng(0), 320, severity=0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantom")
    write_phantom(out, SMALL)
    return out


def read_index(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_nucleus_is_labeled_where_its_center_says(region: PhantomImage) -> None:
    assert region.count > 100
    assert set(np.unique(region.labels)) == set(range(region.count + 1))
    for label, (x, y) in enumerate(region.centers, start=1):
        if 15 < min(x, y) and max(x, y) < 305:  # whole, not cut by the border
            found = np.argwhere(region.labels == label).mean(axis=0) + 0.5
            assert np.hypot(found[1] - x, found[0] - y) < 1


def test_no_nucleus_touches_another(region: PhantomImage) -> None:
    pieces, _ = cv2.connectedComponents((region.labels > 0).astype(np.uint8))
    assert pieces - 1 == region.count


def test_nuclei_lie_in_tissue(region: PhantomImage) -> None:
    assert (region.classes[region.labels > 0] != BACKGROUND).all()


def test_amounts_are_those_of_the_picture(region: PhantomImage) -> None:
    clean = rgb_from_stains(region.amounts).astype(float)
    assert np.abs(clean - region.image).mean() < 2.5
    found = separate_stains(region.image)
    for channel in range(3):
        truth = region.amounts[:, :, channel]
        assert np.abs(found[:, :, channel] - truth).mean() < 0.03


def test_nuclei_are_the_dark_part_of_hematoxylin(region: PhantomImage) -> None:
    amount = region.amounts[:, :, 0]
    inside, outside = amount[region.labels > 0], amount[region.labels == 0]
    assert inside.mean() > 4 * outside.mean()


def test_regions_share_no_area_and_fill_the_picture(region: PhantomImage) -> None:
    areas = [geometry.area for geometry in region.regions]
    assert sum(areas) == pytest.approx(320**2, rel=1e-6)
    for value, area in enumerate(areas):
        assert (region.classes == value).sum() == pytest.approx(area, rel=0.03)


def test_background_is_bright_and_tissue_is_not(region: PhantomImage) -> None:
    green = region.image[:, :, 1]
    assert np.median(green[region.classes == BACKGROUND]) > 235
    assert np.median(green[region.classes == EPITHELIUM]) < 190


def test_stain_says_nothing_of_the_tissue() -> None:
    pale = draw_region(np.random.default_rng(1), 128, stain=Stain(0.7, 0.7))
    dark = draw_region(np.random.default_rng(1), 128, stain=Stain(1.5, 1.2))
    np.testing.assert_array_equal(pale.labels, dark.labels)
    np.testing.assert_array_equal(pale.classes, dark.classes)
    np.testing.assert_allclose(
        pale.amounts[:, :, 0] / 0.7, dark.amounts[:, :, 0] / 1.5, atol=1e-5
    )


def test_malignant_nuclei_are_larger_and_less_even() -> None:
    mean, spread = {}, {}
    for label in ("benign", "malignant"):
        areas = np.concatenate(
            [
                nuclei_of_epithelium(
                    draw_target(np.random.default_rng(seed), 160, label=label)
                )
                for seed in range(6)
            ]
        )
        mean[label] = areas.mean()
        spread[label] = areas.std() / areas.mean()
    assert mean["malignant"] > 1.4 * mean["benign"]
    assert spread["malignant"] > 1.1 * spread["benign"]


def nuclei_of_epithelium(picture: PhantomImage) -> np.ndarray:
    inner = picture.labels[1:-1, 1:-1]
    areas = np.bincount(inner.ravel())
    labels = np.unique(inner[picture.classes[1:-1, 1:-1] == EPITHELIUM])
    return areas[labels[labels > 0]]


def test_equal_states_give_equal_pictures() -> None:
    first = draw_region(np.random.default_rng(2), 96)
    again = draw_region(np.random.default_rng(2), 96)
    other = draw_region(np.random.default_rng(3), 96)
    np.testing.assert_array_equal(first.image, again.image)
    assert not np.array_equal(first.image, other.image)


def test_files_of_the_regions(folder: Path) -> None:
    rows = read_index(folder / "regions" / "index.csv")
    assert len(rows) == SMALL.regions
    assert len({row["case_id"] for row in rows}) == SMALL.region_cases
    for row in rows:
        image = cv2.imread(str(folder / "regions" / row["path"]))
        assert image.shape == (160, 160, 3)
        text = (folder / "regions" / row["geojson"]).read_text()
        collection = json.loads(text)
        assert collection["type"] == "FeatureCollection"
        area = dict.fromkeys(CLASSES, 0.0)
        for feature in collection["features"]:
            polygon = shape(feature["geometry"])
            assert polygon.is_valid
            area[feature["properties"]["classification"]["name"]] += polygon.area
        assert sum(area.values()) == pytest.approx(160**2, rel=0.01)
        assert min(area.values()) > 0


def test_files_of_the_target_set(folder: Path) -> None:
    rows = read_index(folder / "target" / "index.csv")
    assert len(rows) == SMALL.target_images
    assert [row["label"] for row in rows].count("benign") == 12
    cases: dict[str, set[str]] = {}
    for row in rows:
        cases.setdefault(row["split"], set()).add(row["case_id"])
        assert cv2.imread(str(folder / "target" / row["path"])).shape == (64, 64, 3)
    assert set(cases) == {"train", "validation", "test"}
    assert sum(map(len, cases.values())) == SMALL.target_cases
    for split in cases:
        labels = {row["label"] for row in rows if row["split"] == split}
        assert labels == {"benign", "malignant"}


def test_region_and_target_cases_are_disjoint(folder: Path) -> None:
    cases = [
        {row["case_id"] for row in read_index(folder / name / "index.csv")}
        for name in ("regions", "target")
    ]
    assert not cases[0] & cases[1]


def test_equal_configs_give_equal_bytes(folder: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path, SMALL)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(files) == 2 * SMALL.regions + SMALL.target_images + 3
    for path in files:
        assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes()


def test_a_folder_with_other_pictures_is_refused(tmp_path: Path) -> None:
    images = tmp_path / "target" / "images"
    images.mkdir(parents=True)
    (images / "mine.png").write_bytes(b"")
    with pytest.raises(InputError, match="with 1 other files, such as mine.png"):
        write_phantom(tmp_path, SMALL)
    assert not (tmp_path / "regions").exists()


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(InputError, match="got 'odd'"):
        draw_target(np.random.default_rng(0), label="odd")


@pytest.mark.parametrize(
    ("name", "value"),
    [("regions", 0), ("region_size", 64), ("target_cases", 5), ("target_size", 10)],
)
def test_too_little_of_a_phantom_is_refused(name: str, value: int) -> None:
    with pytest.raises(InputError, match=f"{name} must be at least .*, got {value}"):
        PhantomConfig(**{name: value})


def test_a_negative_variation_is_refused() -> None:
    with pytest.raises(InputError, match="stain_variation must be 0 or more, got -1.0"):
        PhantomConfig(stain_variation=-1.0)
