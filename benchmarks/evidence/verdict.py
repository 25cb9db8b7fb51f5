"""Is the verdict right? Two second stages on the phantom, where the truth is known.

    python -m benchmarks.evidence.verdict [--out demo/verdict] [--seeds 3]

One helps by construction: its mid-level set asks the target's own question, of other
cases, with many labels where the target has few, and the network starts from random
weights. The other cannot: the same pictures, with shuffled labels. Ends with
status 1 when the first is not called a help, or the second is.
"""

from __future__ import annotations

import argparse
import csv
import os
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402

from data_prep.config.sets import (  # noqa: E402
    ColumnsConfig,
    SourceConfig,
    TargetSetConfig,
)
from data_prep.phantom.config import PhantomConfig  # noqa: E402
from data_prep.phantom.write import write_phantom  # noqa: E402
from data_prep.sets.build import build_target_set  # noqa: E402
from gastric_keras.comparison.compare import compare  # noqa: E402
from gastric_keras.config.grid import Axis, GridConfig  # noqa: E402
from gastric_keras.grid.cells import load_cells  # noqa: E402
from gastric_keras.grid.stage import run_grid  # noqa: E402
from gastric_keras.support.files import write_csv  # noqa: E402

PHANTOM = PhantomConfig(
    regions=1,
    region_cases=1,
    target_images=480,
    target_cases=96,
    target_size=96,
    stain_variation=0.5,
)
#: Expert labels a class; the mid-level set has 144.
LABELS = 12
ONE, TRUTH, LOT = "one-stage", "truth", "lot"


def main() -> int:
    """Run the grid and print both verdicts."""
    options = _parse()
    grid = _grid(options.out, options.seeds)
    _make_sets(options.out)
    run_grid(grid)
    runs = {
        path: [
            grid.folder / cell.config.name
            for cell in load_cells(grid)
            if cell.values["path"] == path
        ]
        for path in (ONE, TRUTH, LOT)
    }
    wrong = 0
    for path in (TRUTH, LOT):
        found = compare(runs[ONE] + runs[path], options.out / f"compare-{path}")
        sentence = found.verdicts[0].sentence
        is_right = ("helped" in sentence) == (path == TRUTH)
        wrong += not is_right
        print(f"{path:6}{'right' if is_right else 'WRONG':6} {sentence}")
    return int(wrong > 0)


def _make_sets(out: Path) -> None:
    for name, seed in (("here", 0), ("other", 1)):
        write_phantom(out / name, replace(PHANTOM, seed=seed))
    index = out / "other" / "target" / "index.csv"
    dealt = index.with_name("dealt.csv")
    _deal_labels(index, dealt)
    for name, images, rows in (
        ("target", "here", out / "here" / "target" / "index.csv"),
        (TRUTH, "other", index),
        (LOT, "other", dealt),
    ):
        if not (out / "records" / name / "manifest.json").is_file():
            source = SourceConfig(
                images=str(out / images / "target"),
                name=images,
                index=str(rows),
                columns=ColumnsConfig(split="split"),
                mpp=0.5,
            )
            config = TargetSetConfig(
                sources=(source,), patch_size=0, subsets={"few": LABELS}
            )
            build_target_set(config, out / "records" / name)


def _deal_labels(index: Path, dealt: Path) -> None:
    """The same rows, the labels of each split dealt out again among its pictures."""
    with open(index, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    rng = np.random.default_rng(0)
    for split in sorted({row["split"] for row in rows}):
        mine = [row for row in rows if row["split"] == split]
        labels = rng.permutation([row["label"] for row in mine])
        for row, label in zip(mine, labels, strict=True):
            row["label"] = str(label)
    write_csv(dealt, list(rows[0]), [list(row.values()) for row in rows])


def _grid(out: Path, seeds: int) -> GridConfig:
    records = out / "records"
    return GridConfig(
        name="verdict",
        base="configs/demo.yaml",
        axes=(
            Axis(
                "path",
                {
                    ONE: ("mid=null",),
                    TRUTH: (f"mid.records={records / TRUTH}",),
                    LOT: (f"mid.records={records / LOT}",),
                },
            ),
        ),
        seeds=tuple(range(seeds)),
        set=(
            "mid.classes=[benign, malignant]",
            "mid.fit.epochs=15",
            f"target.records={records / 'target'}",
            "target.subset=few",
            "target.subset_seed={seed}",
            "target.fit.min_steps=8",
            "target.fit.epochs=10",
        ),
        evaluate=True,
        output=str(out / "runs"),
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo/verdict"))
    parser.add_argument("--seeds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
