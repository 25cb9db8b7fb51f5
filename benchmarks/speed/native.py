"""A slide through each network at its native size, beside the model's bare inference.

    python -m benchmarks.speed.native ../shared/data/slides/*.svs

The weights are random and the patches the first of each slide, as many as take some
seconds; speed hangs on neither. benchmarks.speed.heatmap measures a trained model, and
the memory.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.speed import rows  # noqa: E402
from gastric_keras.config.backbones import BACKBONES  # noqa: E402
from gastric_keras.heatmap.inference import Speed, predict_patches  # noqa: E402
from gastric_keras.heatmap.patches import plan_patches  # noqa: E402
from gastric_keras.imaging.slides import open_picture  # noqa: E402
from gastric_keras.models.classifier import build_classifier  # noqa: E402
from gastric_keras.serving.exported_model import (  # noqa: E402
    ExportedModel,
    load_exported,
)
from gastric_keras.serving.graph import write_saved_model  # noqa: E402
from gastric_keras.serving.operating_point import OperatingPoint  # noqa: E402

POINT = OperatingPoint(("benign", "malignant"), "malignant", 0.5, 1.0)
#: Patches at once.
BATCH = 16
#: Patches of a turn, at most.
MOST = {"alexnet": 512, "vgg16": 64, "inception_v3": 96}


def main() -> None:
    """Print the table, a line for each network and slide."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("slides", type=Path, nargs="+")
    parser.add_argument("--networks", nargs="+", default=list(MOST), choices=MOST)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    print(f"{len(os.sched_getaffinity(0))} cores, the median turn by its share")
    print(
        f"{'network':14}{'px':>4} {'slide':24}{'patches':>9}{'patches/s':>11}"
        f"{'bare':>8}{'share (least–most)':>20}"
    )
    rows.save(
        row
        for network in options.networks
        for slide in options.slides
        for row in _measure(network, slide, options.turns)
    )


def export_untrained(network: str, image_size: int) -> ExportedModel:
    """A network with random weights, exported to a temporary folder and loaded."""
    model = build_classifier(network, 2, image_size=image_size, weights="none")
    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(model, Path(folder) / "1", point=POINT)
        return load_exported(Path(folder))


def turns_through(
    exported: ExportedModel, slide: Path, *, batch: int, turns: int, most: int
) -> list[Speed]:
    """Some turns of a slide's first patches through a model, the slowest share first.

    Args:
        exported: the model.
        slide: the slide, cut into patches of the model's size.
        batch: patches at once.
        turns: how many.
        most: patches of the slide.
    """
    with open_picture(slide) as picture:
        plan = plan_patches(picture, exported.size, stride=1.0, min_tissue=0.25)
        plan = replace(plan, origins=plan.origins[:most], tissue=plan.tissue[:most])
        readers = os.cpu_count() or 1
        speeds = [
            predict_patches(exported, picture, plan, batch_size=batch, readers=readers)
            for _ in range(turns)
        ]
    return sorted((speed for _, speed in speeds), key=lambda s: s.share_of_bare)


def median_turn(speeds: Sequence[Speed]) -> Speed:
    """The one in the middle of sorted turns, of an even number the slower of two."""
    return speeds[(len(speeds) - 1) // 2]


def _measure(network: str, slide: Path, turns: int) -> Iterator[rows.Row]:
    size = BACKBONES[network].image_size
    exported = export_untrained(network, size)
    speeds = turns_through(
        exported, slide, batch=BATCH, turns=turns, most=MOST[network]
    )
    speed = median_turn(speeds)
    whole, alone = speed.patches_per_second, speed.bare_patches_per_second
    shares = [each.share_of_bare for each in speeds]
    share = f"{speed.share_of_bare:.2f} ({shares[0]:.2f}–{shares[-1]:.2f})"
    patches = round(whole * speed.seconds)
    print(
        f"{network:14}{size:4} {slide.stem[:23]:24}{patches:9}{whole:11.1f}{alone:8.1f}"
        f"{share:>20}",
        flush=True,
    )
    name = f"heatmap of {slide.stem}, {network} at {size} px"
    yield rows.Row(name, whole, "patches/s", "bare inference", alone, aim=0.9)


if __name__ == "__main__":
    main()
