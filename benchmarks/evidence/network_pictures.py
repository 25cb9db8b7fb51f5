"""The pictures of ``--stage visualize`` of several networks, one below the other.

    python -m benchmarks.evidence.network_pictures RUN RUN RUN --out docs

RUN are folders of runs whose stage visualize is finished. Writes ``responses.png`` (for
each network two blocks on the same malignant patch, and the kernels of the first, where
a kernel can be seen) and ``gradcam.png`` (for each a benign and a malignant patch, and
its two hardest errors), in colors few enough to be small.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from gastric_keras.config.experiment import NETWORKS, ExperimentConfig
from gastric_keras.models.classifier import BACKBONES
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support import config_io

#: px across, of the whole.
WIDTH = 680
_STRIP = 30


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    responses, overlays = [], []
    for run in options.runs:
        config = config_io.load(ExperimentConfig, run / "config.yaml")
        kind, folder = BACKBONES[config.backbone.name], RunDir(run).figures
        blocks = list(kind.first_convolutions)
        names = [f"responses_malignant_{block}.png" for block in (blocks[0], blocks[2])]
        if config.backbone.name == "alexnet":
            names.insert(0, "filters.png")
        responses += [_read(folder / name, WIDTH) for name in names]
        overlays.append(_strip(f"{NETWORKS[config.backbone.name]}: {config.name}"))
        for pair in (("benign", "malignant"), ("error_1", "error_2")):
            found = [folder / f"gradcam_{name}.png" for name in pair]
            overlays.append(_beside([_read(p, WIDTH // 2) for p in found]))
    _save(responses, options.out / "responses.png", colors=48)
    _save(overlays, options.out / "gradcam.png", colors=200)


def _read(path: Path, width: int) -> Image.Image:
    with Image.open(path) as picture:
        height = round(picture.height * width / picture.width)
        return picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def _strip(text: str) -> Image.Image:
    strip = Image.new("RGB", (WIDTH, _STRIP), "white")
    font = ImageFont.load_default(size=16)
    ImageDraw.Draw(strip).text((12, 8), text, "black", font)
    return strip


def _beside(pictures: Sequence[Image.Image]) -> Image.Image:
    row = Image.new("RGB", (WIDTH, max(p.height for p in pictures)), "white")
    for index, picture in enumerate(pictures):
        row.paste(picture, (index * WIDTH // len(pictures), 0))
    return row


def _save(pictures: Sequence[Image.Image], path: Path, *, colors: int) -> None:
    whole = Image.new("RGB", (WIDTH, sum(p.height for p in pictures)), "white")
    top = 0
    for picture in pictures:
        whole.paste(picture, (0, top))
        top += picture.height
    whole.quantize(colors, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {whole.width}×{whole.height} px, {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
