"""What a heatmap shows of two classes: the probability of the positive one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gastric_keras.config.heatmap import HeatmapConfig
from gastric_keras.heatmap.overlay import ShownClass, draw_overlay
from gastric_keras.heatmap.overlay_frame import Caption
from gastric_keras.heatmap.patches import PatchPlan
from gastric_keras.heatmap.probability_map import (
    ProbabilityMap,
    Region,
    draw_map,
    find_regions,
)
from gastric_keras.heatmap.qupath import (
    POSITIVE_COLOR,
    Feature,
    region_features,
    tile_features,
)
from gastric_keras.serving.exported_answer import Answer


@dataclass(frozen=True)
class PositiveFinding:
    """Where a slide shows the positive class of two.

    Attributes:
        positive: its name.
        probability: its map.
        threshold: of the model.
        level: from which a place belongs to a region.
        regions: from top to bottom.
        called: patches called positive.
    """

    positive: str
    probability: ProbabilityMap
    threshold: float
    level: float
    regions: list[Region]
    called: int

    def features(
        self, plan: PatchPlan, answer: Answer, *, tiles: bool
    ) -> list[Feature]:
        """Regions for QuPath, and each patch where ``tiles`` asks for it."""
        features = region_features(self.regions, self.positive, corner=plan.corner)
        if tiles:
            colors = {self.positive: POSITIVE_COLOR}
            features += tile_features(plan, answer, (self.positive,), colors=colors)
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
        """The overlay, see ``draw_overlay``; ``patches`` are told below the title."""
        caption = Caption(
            title=title,
            subtitle=f"{self.called} of {patches} called {self.positive}",
            mpp=mpp,
        )
        return draw_overlay(
            view,
            self.probability,
            self.regions,
            shown=ShownClass(self.positive, self.threshold, self.level),
            caption=caption,
            opacity=opacity,
        )

    def told(self) -> dict[str, Any]:
        """How places were called, for the summary."""
        return {
            "positive": self.positive,
            "threshold": self.threshold,
            "level": self.level,
        }

    def counted(self) -> dict[str, Any]:
        """Patches by their call, for the summary."""
        return {"called_positive": self.called}

    def regions_counted(self) -> int:
        """Number of regions, for the summary."""
        return len(self.regions)

    def words(self) -> str:
        """What was found, as printed."""
        return (
            f"{self.called} patches called {self.positive} at {self.threshold:.3f}, "
            f"{len(self.regions)} regions at {self.level:.3f}"
        )


def find_positive(
    config: HeatmapConfig,
    positive: str,
    plan: PatchPlan,
    answer: Answer,
    shape: tuple[int, int],
) -> PositiveFinding:
    """Map what a model of two classes answered.

    Args:
        config: may give the level.
        positive: name of the class.
        plan: the patches.
        answer: to them, in the same order.
        shape: (H, W) of the part of the slide that the grid covers, px.
    """
    assert answer.threshold is not None, "a model of two classes has one"
    level = answer.threshold if config.level is None else config.level
    probability = draw_map(plan, answer.probability, shape)
    return PositiveFinding(
        positive=positive,
        probability=probability,
        threshold=answer.threshold,
        level=level,
        regions=find_regions(probability, level),
        called=int((answer.label == positive).sum()),
    )
