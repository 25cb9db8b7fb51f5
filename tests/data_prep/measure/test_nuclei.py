"""Nuclei: disks of known count and area, the phantom's truth, and real slides."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.config.sets import NucleiConfig
from data_prep.measure.nuclei import measure_nuclei, segment_nuclei, trace_contours
from data_prep.measure.scores import aggregated_jaccard, dice
from data_prep.phantom.tissue import Stain, draw_region
from gastric_keras.imaging.stain import WHITE, rgb_from_stains
from gastric_keras.support.errors import InputError

CENTERS = [(40, 40), (110, 50), (180, 60), (60, 130), (150, 140), (200, 200)]
AT_20 = NucleiConfig(mpp=0.5)


def draw_disks(radius: int, *, size: int = 256, strength: float = 0.6) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    for center in CENTERS:
        cv2.circle(mask, center, radius, 1, -1)
    amounts = np.zeros((size, size, 3), np.float32)
    amounts[:, :, 0] = np.where(mask, strength, 0.04)
    amounts[:, :, 1] = 0.2
    return rgb_from_stains(amounts)


def test_disks_are_counted_and_measured() -> None:
    measured = measure_nuclei(draw_disks(12))
    assert measured.count == len(CENTERS)
    assert measured.total_area == pytest.approx(6 * np.pi * 12**2, rel=0.15)
    assert measured.total_area_um2 is None
    for index, (x, y) in enumerate(sorted(CENTERS, key=lambda c: c[1]), start=1):
        assert measured.labels[y, x] == index


def test_area_in_micrometers_follows_the_scale() -> None:
    measured = measure_nuclei(draw_disks(12), NucleiConfig(mpp=0.25))
    assert measured.total_area_um2 == pytest.approx(measured.total_area / 16)
    # The same tissue scanned at half the scale.
    half = cv2.resize(draw_disks(12), (128, 128), interpolation=cv2.INTER_AREA)
    coarse = measure_nuclei(half, AT_20)
    assert coarse.count == measured.count
    assert coarse.total_area_um2 == pytest.approx(measured.total_area_um2, rel=0.03)


def test_touching_nuclei_are_parted() -> None:
    amounts = np.zeros((128, 128, 3), np.float32)
    amounts[:, :, 1] = 0.2
    for x in (48, 72):
        cv2.circle(amounts, (x, 64), 13, (0.6, 0.15, 0), -1)
    labels = segment_nuclei(rgb_from_stains(amounts))
    assert labels.max() == 2
    assert labels[64, 48] != labels[64, 72]


def test_the_hole_of_a_vesicular_nucleus_is_filled() -> None:
    image = draw_disks(14)
    cv2.circle(image, CENTERS[0], 4, (230, 200, 230), -1)
    labels = segment_nuclei(image)
    assert labels[40, 40] > 0
    assert labels.max() == len(CENTERS)


def test_only_dark_things_are_nuclei() -> None:
    # The opposite polarity would mark the background, most of the picture.
    assert 0.03 < (segment_nuclei(draw_disks(12)) > 0).mean() < 0.06


@pytest.mark.parametrize("grey", [0, 128, 245, 255])
def test_a_flat_picture_has_no_countable_nuclei(grey: int) -> None:
    measured = measure_nuclei(np.full((96, 96, 3), grey, np.uint8))
    assert measured.count <= 1
    assert measured.contrast == pytest.approx(0, abs=1e-3)


def test_noise_on_glass_holds_no_nuclei() -> None:
    rng = np.random.default_rng(0)
    glass = np.clip(rng.normal(240, 4, (256, 256, 3)), 0, 255).astype(np.uint8)
    measured = measure_nuclei(glass)
    assert measured.count == 0
    assert measured.total_area == 0
    assert measured.tissue_fraction == 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_phantom_s_truth_is_found(seed: int) -> None:
    truth = draw_region(np.random.default_rng(seed), 384, severity=0.0)
    labels = segment_nuclei(truth.image, AT_20)
    assert dice(truth.labels, labels) > 0.82
    assert aggregated_jaccard(truth.labels, labels) > 0.6
    assert labels.max() == pytest.approx(truth.count, rel=0.15)


def test_pale_and_dark_stain_give_the_same_nuclei() -> None:
    counts, areas = [], []
    for strength in (0.6, 1.0, 1.6):
        stain = Stain(hematoxylin=strength, eosin=strength)
        truth = draw_region(np.random.default_rng(3), 256, stain=stain)
        measured = measure_nuclei(truth.image, AT_20)
        counts.append(measured.count)
        areas.append(measured.total_area)
    assert max(counts) < 1.1 * min(counts)
    assert max(areas) < 1.15 * min(areas)


def test_labels_are_consecutive_and_in_one_piece_each() -> None:
    labels = segment_nuclei(draw_region(np.random.default_rng(4), 256).image)
    assert labels.dtype == np.int32
    assert set(np.unique(labels)) == set(range(labels.max() + 1))
    for label in range(1, labels.max() + 1):
        pieces, _ = cv2.connectedComponents((labels == label).astype(np.uint8))
        assert pieces == 2


@pytest.mark.parametrize("mpp", [0.2, 0.37, 0.45, 0.8, 2.0])
def test_labels_are_whole_at_every_scale(mpp: float) -> None:
    image = draw_region(np.random.default_rng(8), 200, severity=1.0).image
    measured = measure_nuclei(image, NucleiConfig(mpp=mpp))
    assert measured.labels.shape == (200, 200)
    labels = set(np.unique(measured.labels)) - {0}
    assert labels == set(range(1, measured.count + 1))
    assert measured.total_area == np.count_nonzero(measured.labels)


def test_flips_commute_up_to_ties() -> None:
    image = draw_region(np.random.default_rng(5), 256).image
    flipped = segment_nuclei(np.ascontiguousarray(image[:, ::-1]), AT_20)[:, ::-1]
    labels = segment_nuclei(image, AT_20)
    np.testing.assert_array_equal(flipped > 0, labels > 0)
    assert flipped.max() == labels.max()


def test_equal_pictures_give_equal_labels() -> None:
    image = draw_region(np.random.default_rng(6), 128).image
    np.testing.assert_array_equal(segment_nuclei(image), segment_nuclei(image.copy()))


def test_a_patch_agrees_with_the_picture_it_was_cut_from() -> None:
    truth = draw_region(np.random.default_rng(7), 384, severity=0.0, margin=0.0)
    whole = segment_nuclei(truth.image, AT_20)[128:256, 128:256]
    patch = segment_nuclei(np.ascontiguousarray(truth.image[128:256, 128:256]), AT_20)
    assert dice(whole, patch) > 0.9


def test_contours_hold_the_areas() -> None:
    labels = segment_nuclei(draw_disks(12))
    contours = trace_contours(labels)
    assert len(contours) == labels.max()
    for label, contour in enumerate(contours, start=1):
        # Pick: the polygon runs through the centers of the outermost pixels.
        border = len(
            cv2.findContours(
                (labels == label).astype(np.uint8),
                cv2.RETR_EXTERNAL,
                cv2.CHAIN_APPROX_NONE,
            )[0][0]
        )
        inner = cv2.contourArea(contour.reshape(-1, 1, 2))
        assert inner + border / 2 + 1 == np.count_nonzero(labels == label)


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (31, 7)])
def test_any_size_of_picture_is_measured(shape: tuple[int, int]) -> None:
    measured = measure_nuclei(np.full((*shape, 3), 200, np.uint8))
    assert measured.labels.shape == shape


def test_measured_contrast_is_the_drawn_one() -> None:
    measured = measure_nuclei(draw_disks(14, strength=0.6))
    assert measured.nuclear_hematoxylin == pytest.approx(0.6, abs=0.1)
    assert measured.contrast == pytest.approx(0.56, abs=0.1)
    assert measured.unevenness < 0.3
    assert measured.tissue_fraction == 1


def test_what_is_no_picture_is_refused() -> None:
    for function in (segment_nuclei, measure_nuclei):
        with pytest.raises(InputError, match="got shape="):
            function(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("mpp", 0.0, r"mpp must be in \[0.05, 10.0\] µm/px"),
        ("radius_um", 0.0, "radius_um must be above 0"),
        ("stain_unit", -1.0, "stain_unit must be above 0"),
        ("opening_um", -0.1, "opening_um must be 0 or more"),
    ],
)
def test_a_size_without_meaning_is_refused(
    name: str, value: float, wanted: str
) -> None:
    with pytest.raises(InputError, match=f"{wanted}, got {value}"):
        NucleiConfig(**{name: value})


@pytest.mark.parametrize("name", ["smoothing_um", "opening_um", "max_hole_um2"])
def test_a_step_can_be_switched_off(name: str) -> None:
    config = NucleiConfig(**{name: 0.0})
    assert segment_nuclei(draw_disks(12), config).max() == len(CENTERS)


@pytest.mark.shared
@pytest.mark.parametrize("strength", [0.6, 1.0, 1.6])
def test_nuclei_of_real_slides(shared_data: Path, strength: float) -> None:
    folder = shared_data / "nuclei_masks"
    with open(folder / "index.csv", newline="") as stream:
        names = [row["image"] for row in csv.DictReader(stream)]
    scores = []
    for name in names[::3]:
        image = cv2.imread(str(folder / "images" / f"{name}.jpg"))[:512, :512, ::-1]
        image = np.rint(WHITE * (image / WHITE) ** strength).astype(np.uint8)
        truth = cv2.imread(str(folder / "masks" / f"{name}.png"), -1)[:512, :512]
        scores.append(dice(truth, segment_nuclei(image)))
    assert np.mean(scores) > 0.72
    assert min(scores) > 0.55
