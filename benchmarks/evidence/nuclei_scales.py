"""How well nuclei are measured at coarser scales: the table of docs/NUCLEI.md.

python -m benchmarks.evidence.nuclei_scales --data ../shared/data/nuclei_masks \\
        [--out docs/results/nuclei_scales.json]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.evidence.nuclei_accuracy import PATCH, Drawn, read_drawn
from data_prep.config.measures import NucleiConfig
from data_prep.measure.nuclei import measure_nuclei

#: µm per px of the drawn images.
DRAWN_MPP = 0.25
SCALES = (0.25, 0.5, 0.8, 1.1, 1.5, 2.0, 3.0)


def true_measures(truth: npt.NDArray[np.int32]) -> tuple[int, float]:
    """Number of nuclei in a patch, whole or cut, and their total area in µm²."""
    inside = truth[truth > 0]
    return len(np.unique(inside)), inside.size * DRAWN_MPP**2


def measure_image(drawn: Drawn, mpp: float) -> list[tuple[float, ...]]:
    """(true count, true area, count, area) of each 64 µm field, measured alone.

    Args:
        drawn: image and truth at ``DRAWN_MPP``.
        mpp: µm per px to which each field is shrunk before it is measured.
    """
    rows = []
    side = round(PATCH * DRAWN_MPP / mpp)
    config = NucleiConfig(mpp=PATCH * DRAWN_MPP / side)
    height, width = drawn.truth.shape
    for y in range(0, height - PATCH + 1, PATCH):
        for x in range(0, width - PATCH + 1, PATCH):
            field = drawn.image[y : y + PATCH, x : x + PATCH]
            small = cv2.resize(field, (side, side), interpolation=cv2.INTER_AREA)
            found = measure_nuclei(np.ascontiguousarray(small), config)
            truth = true_measures(drawn.truth[y : y + PATCH, x : x + PATCH])
            rows.append((*truth, found.count, found.total_area_um2 or 0.0))
    return rows


def summarize(rows: list[tuple[float, ...]]) -> dict[str, float]:
    """Correlations with the truth over fields, and ratios to it."""
    true_count, true_area, count, area = np.array(rows, float).T
    both = (true_count > 0) & (count > 0)

    def correlation(true: npt.NDArray[np.float64], found: npt.NDArray) -> float:
        return float(np.corrcoef(true, found)[0, 1])

    return {
        "count_correlation": correlation(true_count, count),
        "count_ratio": float(count.sum() / true_count.sum()),
        "total_area_correlation": correlation(true_area, area),
        "mean_area_correlation": correlation(
            true_area[both] / true_count[both], area[both] / count[both]
        ),
    }


def main() -> None:
    """Print the table; write its figures where ``--out`` says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of MoNuSeg")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    drawn = read_drawn(arguments.data)
    result = {}
    print("| µm/px | count corr. | count ratio | total area corr. | mean area corr. |")
    print("| --- | --- | --- | --- | --- |")
    for mpp in SCALES:
        by_organ: dict[str, list[tuple[float, ...]]] = {}
        for item in drawn:
            by_organ.setdefault(item.organ, []).extend(measure_image(item, mpp))
        figures = summarize([row for rows in by_organ.values() for row in rows])
        result[str(mpp)] = {
            "all": figures,
            **{organ: summarize(rows) for organ, rows in sorted(by_organ.items())},
        }
        print(f"| {mpp} | " + " | ".join(f"{x:.2f}" for x in figures.values()) + " |")
    print("\n| organ | " + " | ".join(f"count, {mpp}" for mpp in SCALES) + " |")
    print("| --- |" + " --- |" * len(SCALES))
    for organ in result[str(DRAWN_MPP)]:
        cells = [result[str(mpp)][organ]["count_correlation"] for mpp in SCALES]
        print(f"| {organ} | " + " | ".join(f"{x:.2f}" for x in cells) + " |")
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
