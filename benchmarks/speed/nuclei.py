"""Speed of the nuclei measurement: ours, scikit-image's form, and the bare floor.

python -m benchmarks.speed.nuclei [--images DIR] [--mpp 0.25] [--patches 48] \\
    [--rounds 5]

Without a folder the patches are the phantom's, drawn as a ×40 scan. Everything runs on
one core. The floor is what nobody can leave out: decode the PNG of the patch and pass
over it once with the color deconvolution. Where ``DIR/../masks/NAME.png`` holds drawn
nuclei, or on the phantom, the Dice coefficient of both forms is printed too.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.color import rgb2hed
from skimage.feature import peak_local_max
from skimage.filters import gaussian
from skimage.measure import label as label_pieces
from skimage.measure import regionprops
from skimage.morphology import disk, opening
from skimage.segmentation import watershed

from benchmarks.speed import rows
from data_prep.config.sets import NucleiConfig
from data_prep.measure.binarization import ASSUMED_MPP
from data_prep.measure.nuclei import measure_nuclei
from data_prep.measure.scores import dice
from data_prep.phantom.tissue import draw_region, draw_stain
from gastric_keras.imaging.stain import separate_stains

SIZE = 256
Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Patch:
    """One patch: its pixels, its PNG, and its drawn nuclei where they are known."""

    image: Image
    png: bytes
    truth: npt.NDArray[np.int32] | None


def decode(png: bytes) -> Image:
    """PNG bytes to RGB."""
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def measure_with_skimage(image: Image, config: NucleiConfig) -> Any:
    """The same steps and sizes, written straight down with scikit-image and SciPy.

    Args:
        image: (H, W, 3) uint8, RGB.
        config: as for `measure_nuclei`.

    Returns:
        (count, total area in px², labels).
    """
    mpp = config.mpp or ASSUMED_MPP
    # Its densities are over log(1e-6); ours are decimal.
    amount = gaussian(rgb2hed(image)[:, :, 0] * 6, config.smoothing_um / mpp)
    middle = _middle_of_classes(amount)
    unit = max(config.stain_unit * amount[amount > middle].mean(), 0.3)
    light = 10 ** (-np.maximum(amount, 0) / unit)
    window = 2 * round(config.radius_um / mpp) + 1
    mean = ndimage.uniform_filter(light, window)
    square = ndimage.uniform_filter(light**2, window)
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    threshold = mean * (1 + 2 * np.exp(-10 * mean) + 0.25 * (deviation / 0.5 - 1))
    mask = _fill_small_holes(light < threshold, config.max_hole_um2 / mpp**2)
    mask = opening(mask, disk(round(config.opening_um / mpp)))
    distance = ndimage.distance_transform_edt(mask)
    distance = gaussian(distance, config.seed_smoothing_um / mpp)
    peaks = peak_local_max(
        distance,
        min_distance=round(config.seed_distance_um / mpp),
        labels=mask.astype(np.int32),
        exclude_border=False,
    )
    markers = np.zeros(mask.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = watershed(-distance, markers, mask=mask)
    areas = []
    for region in regionprops(labels, intensity_image=threshold - light):
        evidence = region.intensity_mean * region.area
        if (
            min(
                region.area - config.min_area_um2 / mpp**2,
                evidence - config.min_evidence_um2 / mpp**2,
            )
            >= 0
        ):
            areas.append(region.area)
        else:
            labels[labels == region.label] = 0
    return len(areas), sum(areas), labels


def _middle_of_classes(amount: npt.NDArray[np.floating]) -> float:
    dark = amount > amount.mean()
    if not dark.any():
        return -1.0
    return float((amount[dark].mean() + amount[~dark].mean()) / 2)


def _fill_small_holes(mask: npt.NDArray, area: float) -> npt.NDArray:
    holes = label_pieces(~mask, connectivity=1)
    small = np.bincount(holes.ravel()) <= area
    small[0] = False
    return mask | small[holes]


def read_patches(folder: Path, wanted: int) -> list[Patch]:
    """Cut 256×256 patches from the images of a folder, evenly over the images."""
    paths = sorted(p for p in folder.iterdir() if p.suffix in {".jpg", ".png", ".tif"})
    if not paths:
        raise SystemExit(f"--images must be a folder with images, got {folder}.")
    patches: list[Patch] = []
    each = -(-wanted // len(paths))
    for path in paths:
        image = cv2.imread(str(path))[:, :, ::-1]
        mask = folder.parent / "masks" / f"{path.stem}.png"
        truth = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED) if mask.exists() else None
        cuts = [
            np.s_[y : y + SIZE, x : x + SIZE]
            for y in range(0, image.shape[0] - SIZE + 1, SIZE)
            for x in range(0, image.shape[1] - SIZE + 1, SIZE)
        ]
        for cut in cuts[:each]:
            patches.append(_patch(image[cut], None if truth is None else truth[cut]))
    return patches[:wanted]


def draw_patches(wanted: int) -> list[Patch]:
    """Patches of the phantom, enlarged to the scale of a ×40 scan."""
    patches = []
    for seed in range(wanted):
        rng = np.random.default_rng(seed)
        drawn = draw_region(
            rng,
            SIZE // 2,
            severity=float(rng.normal(0, 1.2)),
            stain=draw_stain(rng),
            margin=0.0,
        )
        image = cv2.resize(drawn.image, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        patches.append(_patch(image, np.kron(drawn.labels, np.ones((2, 2), np.int32))))
    return patches


def _patch(image: Image, truth: npt.NDArray | None) -> Patch:
    image = np.ascontiguousarray(image)
    png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    return Patch(image, png, truth)


def time_forms(
    forms: dict[str, Callable[[Patch], Any]],
    patches: Sequence[Patch],
    *,
    rounds: int,
) -> dict[str, float]:
    """Seconds a patch of each form: the sum over patches of the best of the rounds.

    The forms take turns, so that a busy machine slows all of them alike.
    """
    best = {name: np.full(len(patches), np.inf) for name in forms}
    for _ in range(rounds):
        for index, patch in enumerate(patches):
            for name, form in forms.items():
                start = time.perf_counter()
                form(patch)
                took = time.perf_counter() - start
                best[name][index] = min(best[name][index], took)
    return {name: float(times.mean()) for name, times in best.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, help="folder of H&E images")
    parser.add_argument("--mpp", type=float, default=ASSUMED_MPP, help="µm per px")
    parser.add_argument("--patches", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    # One core each: OpenCV would take them all.
    cv2.setNumThreads(1)
    config = NucleiConfig(mpp=arguments.mpp)
    patches = (
        read_patches(arguments.images, arguments.patches)
        if arguments.images
        else draw_patches(arguments.patches)
    )
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} cores, one used")
    print(f"{len(patches)} patches of {SIZE}×{SIZE} px at {arguments.mpp} µm/px")
    print_speeds(patches, config, rounds=arguments.rounds)
    print_scores(patches, config)


def print_speeds(
    patches: Sequence[Patch], config: NucleiConfig, *, rounds: int
) -> None:
    """Patches a second and core of each form, and the ratios that count."""
    forms: dict[str, Callable[[Patch], Any]] = {
        "measure_nuclei": lambda p: measure_nuclei(p.image, config),
        "decode + measure_nuclei": lambda p: measure_nuclei(decode(p.png), config),
        "scikit-image's form": lambda p: measure_with_skimage(p.image, config),
        "floor: decode + deconvolve": lambda p: separate_stains(decode(p.png)),
    }
    times = time_forms(forms, patches, rounds=rounds)
    ours, whole, theirs, floor = times.values()
    print("\n| form | patches/s/core | ms/patch |\n| --- | --- | --- |")
    for name, duration in times.items():
        print(f"| {name} | {1 / duration:.0f} | {duration * 1e3:.2f} |")
    print(
        f"\nours is {theirs / ours:.1f} times as fast as scikit-image's form (aim: 15)"
    )
    print(f"measurement / floor: {ours / floor:.2f} (aim: at most 2)")
    print(f"decode + measurement / floor: {whole / floor:.2f}")
    unit, scene = "patches/s/core", "nuclei of 256 px patches"
    rows.save(
        [
            rows.Row(scene, 1 / ours, unit, "scikit-image's form", 1 / theirs, aim=15),
            rows.Row(
                f"{scene}, decoded", 1 / whole, unit, "the floor", 1 / floor, aim=0.5
            ),
        ]
    )


def print_scores(patches: Sequence[Patch], config: NucleiConfig) -> None:
    """Mean Dice of both forms, where the truth is known."""
    ours, theirs = [], []
    for patch in patches:
        if patch.truth is not None:
            ours.append(dice(patch.truth, measure_nuclei(patch.image, config).labels))
            labels = measure_with_skimage(patch.image, config)[2]
            theirs.append(dice(patch.truth, labels))
    if not ours:
        return
    print(f"Dice: ours {np.mean(ours):.3f}, scikit-image's form {np.mean(theirs):.3f}")


if __name__ == "__main__":
    main()
