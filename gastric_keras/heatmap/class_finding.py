"""What a heatmap shows of more than two classes: where each of them is called."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from gastric_keras.config.heatmap import HeatmapConfig
from gastric_keras.figures.style import PALETTE
from gastric_keras.heatmap.overlay import ShownClass, draw_class_overlay, draw_overlay
from gastric_keras.heatmap.overlay_frame import Caption
from gastric_keras.heatmap.patches import PatchPlan
from gastric_keras.heatmap.probability_map import (
    ProbabilityMap,
    Region,
    draw_map,
    outline_cells,
)
from gastric_keras.heatmap.qupath import Color, Feature, region_features, tile_features
from gastric_keras.serving.exported_answer import Answer


@dataclass(frozen=True)
class ClassFinding:
    """Where a slide shows each of several classes.

    Attributes:
        classes: names, in label order.
        probability: the map of each: (rows, columns, classes).
        regions: of each, where it is the highest, from top to bottom.
        patches: called each.
        shown: whose probability the overlay shows; None: the called class.
    """

    classes: tuple[str, ...]
    probability: ProbabilityMap
    regions: tuple[list[Region], ...]
    patches: tuple[int, ...]
    shown: str | None

    def features(
        self, plan: PatchPlan, answer: Answer, *, tiles: bool
    ) -> list[Feature]:
        """Regions of each class for QuPath, and each patch where ``tiles`` asks."""
        colors = dict(zip(self.classes, class_colors(len(self.classes)), strict=True))
        features: list[Feature] = []
        for name, regions in zip(self.classes, self.regions, strict=True):
            features += region_features(
                regions, name, corner=plan.corner, color=colors[name]
            )
        if tiles:
            features += tile_features(plan, answer, self.classes, colors=colors)
        return features

    def draw(
        self,
        view: npt.NDArray[np.uint8],
        *,
        title: str,
        patches: str,
        mpp: float,
        opacity: float,
    ) -> bytes:
        """The overlay; ``patches`` are told below the title."""
        if self.shown is None:
            subtitle = f"{patches}, each place called its highest probability"
            return draw_class_overlay(
                view,
                self.probability,
                self.regions,
                names=[
                    f"{name} {share:.0%}"
                    for name, share in zip(self.classes, self._shares(), strict=True)
                ],
                colors=class_colors(len(self.classes)),
                caption=Caption(title, subtitle, mpp),
                opacity=opacity,
            )
        index = self.classes.index(self.shown)
        subtitle = f"{self.patches[index]} of {patches} called {self.shown}"
        return draw_overlay(
            view,
            _map_of(self.probability, index),
            self.regions[index],
            shown=ShownClass(self.shown, threshold=None, level=None),
            caption=Caption(title, subtitle, mpp),
            opacity=opacity,
        )

    def told(self) -> dict[str, Any]:
        """How places were called, for the summary."""
        return {"classes": list(self.classes), "call": "highest probability"}

    def counted(self) -> dict[str, Any]:
        """Patches by their call, for the summary."""
        return {
            "called": dict(zip(self.classes, self.patches, strict=True)),
            "share": dict(zip(self.classes, self._shares(), strict=True)),
        }

    def regions_counted(self) -> dict[str, int]:
        """Number of regions, for the summary."""
        return dict(zip(self.classes, map(len, self.regions), strict=True))

    def words(self) -> str:
        """What was found, as printed."""
        shares = ", ".join(
            f"{name} {number} ({share:.0%})"
            for name, number, share in zip(
                self.classes, self.patches, self._shares(), strict=True
            )
        )
        return f"patches called {shares}; {sum(map(len, self.regions))} regions"

    def _shares(self) -> list[float]:
        return [number / sum(self.patches) for number in self.patches]


def find_classes(
    config: HeatmapConfig,
    classes: tuple[str, ...],
    plan: PatchPlan,
    answer: Answer,
    shape: tuple[int, int],
) -> ClassFinding:
    """Map what a model of more than two classes answered.

    Args:
        config: may name the class that is shown.
        classes: names, in label order.
        plan: the patches.
        answer: to them, in the same order.
        shape: (H, W) of the part of the slide that the grid covers, px.
    """
    probability = draw_map(plan, answer.probability, shape)
    # NaN where nothing was read; the first of equals, as a patch is called.
    is_read = ~np.isnan(probability.values[..., 0])
    called = np.where(is_read, probability.values.argmax(axis=-1), -1)
    return ClassFinding(
        classes=classes,
        probability=probability,
        regions=tuple(
            outline_cells(_map_of(probability, index), called == index)
            for index in range(len(classes))
        ),
        patches=tuple(int((answer.label == name).sum()) for name in classes),
        shown=config.map_class,
    )


def _map_of(probability: ProbabilityMap, index: int) -> ProbabilityMap:
    """The map of one class."""
    return replace(probability, values=probability.values[..., index])


def class_colors(number: int) -> list[Color]:
    """A color of its own for each class: those of figures, or of many a rainbow."""
    if number <= len(PALETTE):
        found = [to_rgb(color) for color in PALETTE[:number]]
    else:
        found = [colormaps["turbo"](i / (number - 1))[:3] for i in range(number)]
    return [(round(255 * r), round(255 * g), round(255 * b)) for r, g, b in found]
