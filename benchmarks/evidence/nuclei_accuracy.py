"""Accuracy of the nuclei on drawn ones: the tables and pictures of docs/NUCLEI.md.

python -m benchmarks.evidence.nuclei_accuracy --data ../shared/data/nuclei_masks \\
        [--out docs]
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.config.sets import NucleiConfig
from data_prep.measure import nuclei
from data_prep.measure.scores import aggregated_jaccard, count_labels, dice
from data_prep.measure.threshold import threshold_phansalkar
from gastric_keras.imaging.stain import WHITE, hematoxylin_transmittance

PATCH = 256
STRENGTHS = (0.6, 0.8, 1.0, 1.3, 1.6)
#: A plateau's worth of neighbors, for the choice that leaves one organ out.
CANDIDATES = (
    NucleiConfig(),
    NucleiConfig(stain_unit=2.2),
    NucleiConfig(stain_unit=2.4),
    NucleiConfig(seed_distance_um=1.5),
    NucleiConfig(seed_distance_um=2.5),
    NucleiConfig(opening_um=1.0),
    NucleiConfig(min_evidence_um2=1.3),
    NucleiConfig(radius_um=12.0),
)


@dataclasses.dataclass(frozen=True)
class Drawn:
    """An image with its drawn nuclei."""

    name: str
    organ: str
    image: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.int32]


@dataclasses.dataclass(frozen=True)
class Score:
    """Scores of one image; counts are of its whole 256×256 patches.

    Attributes:
        dice: of the whole image.
        jaccard: aggregated, likewise.
        true_counts: nuclei drawn in each patch, whole or cut.
        counts: nuclei of the image that lie in each patch, whole or cut.
        patch_counts: nuclei found when each patch is measured by itself.
    """

    organ: str
    dice: float
    jaccard: float
    true_counts: tuple[int, ...]
    counts: tuple[int, ...]
    patch_counts: tuple[int, ...]


def read_drawn(folder: Path) -> list[Drawn]:
    """Read images/, masks/ and index.csv (image, organ) of a folder."""
    drawn = []
    with open(folder / "index.csv", newline="") as stream:
        for row in csv.DictReader(stream):
            name = row["image"]
            image = cv2.imread(str(folder / "images" / f"{name}.jpg"))
            truth = cv2.imread(
                str(folder / "masks" / f"{name}.png"), cv2.IMREAD_UNCHANGED
            )
            image = np.ascontiguousarray(image[:, :, ::-1])
            drawn.append(Drawn(name, row["organ"], image, truth.astype(np.int32)))
    return drawn


def score_image(drawn: Drawn, config: NucleiConfig, *, strength: float = 1.0) -> Score:
    """Segment an image, whole and by patches, with its optical density scaled."""
    image = drawn.image
    if strength != 1.0:
        image = np.rint(WHITE * (image / WHITE) ** strength).astype(np.uint8)
    labels = nuclei.segment_nuclei(image, config)
    cuts = [
        np.s_[y : y + PATCH, x : x + PATCH]
        for y in range(0, image.shape[0] - PATCH + 1, PATCH)
        for x in range(0, image.shape[1] - PATCH + 1, PATCH)
    ]
    return Score(
        organ=drawn.organ,
        dice=dice(drawn.truth, labels),
        jaccard=aggregated_jaccard(drawn.truth, labels),
        true_counts=tuple(count_labels(drawn.truth[cut]) for cut in cuts),
        counts=tuple(count_labels(labels[cut]) for cut in cuts),
        patch_counts=tuple(
            nuclei.measure_nuclei(np.ascontiguousarray(image[cut]), config).count
            for cut in cuts
        ),
    )


def summarize(scores: list[Score]) -> str:
    """One row: Dice, AJI, count correlation and ratio, whole and by patch."""
    true = np.concatenate([score.true_counts for score in scores])
    cells = [
        f"{np.mean([score.dice for score in scores]):.3f}",
        f"{np.mean([score.jaccard for score in scores]):.3f}",
    ]
    for field in ("counts", "patch_counts"):
        found = np.concatenate([getattr(score, field) for score in scores])
        cells.append(f"{np.corrcoef(true, found)[0, 1]:.3f}")
        cells.append(f"{found.sum() / true.sum():.2f}")
    return " | ".join(cells)


HEADER = (
    "Dice | AJI | count corr. | count ratio | corr., patch alone | ratio, patch alone |"
    "\n| --- | --- | --- | --- | --- | --- | --- |"
)


def print_organs(drawn: list[Drawn]) -> None:
    """The table by organ."""
    scores = [score_image(item, NucleiConfig()) for item in drawn]
    print(f"\n| organ (images) | {HEADER}")
    for organ in sorted({item.organ for item in drawn}):
        of_organ = [score for score in scores if score.organ == organ]
        print(f"| {organ} ({len(of_organ)}) | {summarize(of_organ)} |")
    print(f"| **all ({len(scores)})** | {summarize(scores)} |")


def print_strengths(drawn: list[Drawn]) -> None:
    """The table over the strength of the stain, evened out or not."""
    plain = NucleiConfig(stain_unit=1e-6, min_stain_unit=1.0)
    print(f"\n| density × | {HEADER}")
    for name, config in (("", NucleiConfig()), (", not evened out", plain)):
        for strength in STRENGTHS:
            scores = [score_image(item, config, strength=strength) for item in drawn]
            print(f"| {strength}{name} | {summarize(scores)} |")


def print_left_out(drawn: list[Drawn]) -> None:
    """Each organ scored with the setting that the other organs chose."""
    table = [[score_image(item, config) for item in drawn] for config in CANDIDATES]
    print(
        "\n| organ left out | chosen by the others | Dice | AJI | corr., patch alone |"
    )
    print("| --- | --- | --- | --- | --- |")
    all_held: list[Score] = []
    for organ in sorted({item.organ for item in drawn}):
        others = [
            np.mean([_merit(s) for s in row if s.organ != organ]) for row in table
        ]
        best = int(np.argmax(others))
        held = [score for score in table[best] if score.organ == organ]
        all_held += held
        print(f"| {organ} | {_differences(CANDIDATES[best])} | {_held_out(held)} |")
    print(f"| **all, held out** | | {_held_out(all_held)} |")


def _held_out(scores: list[Score]) -> str:
    cells = summarize(scores).split(" | ")
    return " | ".join((*cells[:2], cells[4]))


def _merit(score: Score) -> float:
    # Counts belong to what is chosen: an error of the ratio costs as one of Dice.
    ratio = sum(score.counts) / sum(score.true_counts)
    return score.dice + score.jaccard - abs(ratio - 1)


def _differences(config: NucleiConfig) -> str:
    default = NucleiConfig()
    changed = [
        f"{field.name}={getattr(config, field.name)}"
        for field in dataclasses.fields(config)
        if getattr(config, field.name) != getattr(default, field.name)
    ]
    return ", ".join(changed) or "the default"


def print_polarity(drawn: list[Drawn]) -> None:
    """What the two polarities of the bare threshold mark."""
    print("\n| nucleus where | share of the picture | Dice of the bare mask |")
    print("| --- | --- | --- |")
    for name in ("pixel < T", "pixel >= T"):
        shares, scores = [], []
        for item in drawn:
            light = hematoxylin_transmittance(item.image)
            mask = light < threshold_phansalkar(light, 64)
            mask = mask if name == "pixel < T" else ~mask
            shares.append(mask.mean())
            scores.append(dice(item.truth, mask.astype(np.int32)))
        print(f"| {name} | {np.mean(shares):.1%} | {np.mean(scores):.3f} |")


def write_overlays(drawn: list[Drawn], out: Path) -> None:
    """The best and the worst image: drawn nuclei green, found ones yellow."""
    ranked = sorted(drawn, key=lambda item: score_image(item, NucleiConfig()).jaccard)
    for name, item in (("good", ranked[-1]), ("bad", ranked[0])):
        found = nuclei.segment_nuclei(item.image)
        picture = item.image.copy()
        for labels, color in ((item.truth, (0, 230, 60)), (found, (255, 230, 0))):
            outlines = [c.reshape(-1, 1, 2) for c in nuclei.trace_contours(labels)]
            cv2.drawContours(picture, outlines, -1, color, 1, cv2.LINE_AA)
        picture = picture[300:620, 300:620, ::-1]
        path = out / f"nuclei_{name}.png"
        cv2.imwrite(str(path), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        print(f"\n{path}: {item.name} ({item.organ})")


def main() -> None:
    """Print every table; write the overlays where ``--out`` says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of MoNuSeg")
    parser.add_argument("--out", type=Path, help="folder of the two overlays")
    arguments = parser.parse_args()
    drawn = read_drawn(arguments.data)
    print_organs(drawn)
    print_polarity(drawn)
    print_strengths(drawn)
    print_left_out(drawn)
    if arguments.out:
        write_overlays(drawn, arguments.out)


if __name__ == "__main__":
    main()
