"""Tables 2 and 3 of the paper on the stand-in benchmark: real images, real weights.

Command: python -m benchmarks.standin --weights ../shared/weights --network alexnet
Reads the pictures where configs/data_prep/ebhi_*.yaml say (../shared/data).
Makes the records that are missing, runs every cell (network x subset x {one stage,
tissue, nuclei} x seed) as `gastric_keras.run --stage all`, then compares. Finished
cells are skipped, a half-finished one resumes: the same command goes on where it was.
The test split is scored once per finished cell and chooses nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gastric_keras.files import write_json

WEIGHTS = {
    "alexnet": "alexnet_imagenet_features.pth",
    "vgg16": "vgg16_imagenet_notop.weights.h5",
    "inception_v3": "inception_v3_imagenet_2015_notop.weights.h5",
}
MIDS = {
    "tissue": "[background, epithelium, stroma]",
    "nuclei": "[cluster_0, cluster_1]",
}


@dataclass(frozen=True)
class Cell:
    """One run: network, subset of the target set, mid-level set or none, seed."""

    network: str
    subset: str
    mid: str | None
    seed: int

    @property
    def name(self) -> str:
        """Of the run's folder."""
        mid = self.mid or "one-stage"
        return f"ebhi-{self.network}-{self.subset}-{mid}-s{self.seed}"


def main() -> None:
    """Run every cell asked for, then compare."""
    options = _parse()
    cells = list(_cells(options))
    _make_records(options)
    log = options.logs / f"ebhi-{options.network}-seconds.json"
    seconds = {}
    for number, cell in enumerate(cells, start=1):
        print(f"== {number}/{len(cells)} {cell.name}", flush=True)
        started = time.time()
        _call("gastric_keras.run", *_arguments(cell, options))
        seconds[cell.name] = round(time.time() - started)
    write_json(log, seconds)
    folders = [str(options.logs / cell.name) for cell in cells]
    out = options.out / options.network
    _call(
        "gastric_keras.run", "--stage", "compare", "--out", str(out), "--runs", *folders
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--network", choices=WEIGHTS, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--subsets", nargs="+", default=["small", "all"])
    parser.add_argument("--image-size", type=int, default=112)
    parser.add_argument("--few", action="store_true", help="few mid-level patches")
    parser.add_argument("--set", action="append", default=[], help="for every cell")
    parser.add_argument("--records", type=Path, default=Path("records"))
    parser.add_argument("--logs", type=Path, default=Path("tensorboard_logs"))
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    return parser.parse_args()


def _cells(options: argparse.Namespace) -> Iterator[Cell]:
    for seed in options.seeds:
        for mid in (None, *MIDS):
            for subset in options.subsets:
                yield Cell(options.network, subset, mid, seed)


def _records(options: argparse.Namespace, kind: str) -> Path:
    few = "_few" if options.few and kind != "target" else ""
    return options.records / f"ebhi_{kind}{few}"


def _make_records(options: argparse.Namespace) -> None:
    for kind in ("tissue", "nuclei", "target"):
        folder = _records(options, kind)
        if (folder / "manifest.json").is_file():
            continue
        arguments = [kind, "--config", f"configs/data_prep/ebhi_{kind}.yaml"]
        if options.few and kind != "target":
            arguments += ["--set", "max_per_class={train: 300, validation: 60}"]
        _call("data_prep", *arguments, "--out", str(folder))


def _arguments(cell: Cell, options: argparse.Namespace) -> Iterator[str]:
    yield from ("--stage", "all", "--config", f"configs/{cell.network}.yaml")
    settings = {
        "name": cell.name,
        "seed": cell.seed,
        "backbone.weights": options.weights / WEIGHTS[cell.network],
        "backbone.image_size": options.image_size,
        "target.records": _records(options, "target"),
        "target.subset": "null" if cell.subset == "all" else cell.subset,
        # Another draw of the few labels with every seed: that is where chance lies.
        "target.subset_seed": cell.seed,
        "runtime.output": options.logs,
    }
    if cell.subset != "all":
        settings |= {"target.fit.epochs": 20, "target.fit.batch_size": 20}
    if cell.mid is None:
        settings["mid"] = "null"
    else:
        settings |= {
            "mid.records": _records(options, cell.mid),
            "mid.classes": MIDS[cell.mid],
        }
        first = Cell(cell.network, options.subsets[0], cell.mid, cell.seed)
        if cell != first:
            # One t=1 serves every subset: it does not depend on the target set.
            weights = options.logs / first.name / "mid" / "best.weights.h5"
            settings["mid.init"] = weights
    for key, value in settings.items():
        yield from ("--set", f"{key}={value}")
    for override in options.set:
        yield from ("--set", override)


def _call(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)


if __name__ == "__main__":
    main()
