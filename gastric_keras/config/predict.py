"""How new pictures and slides are predicted: every choice of the stage predict."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Literal

from gastric_keras.config.heatmap import HeatmapConfig
from gastric_keras.records.cases import CaseRule
from gastric_keras.support.errors import InputError, check_ranges, require

#: Of the options of a heatmap, those that pictures take too.
_OF_PICTURES = ("batch_size", "readers")


@dataclass(frozen=True)
class PredictConfig(HeatmapConfig):
    """What may be changed with ``--set``; the defaults need no config file.

    Slides are read as ``--stage heatmap`` reads them, with the same options.

    Attributes:
        pictures: what a picture is that is no slide: ``patch``, one patch, resized to
            the side that the model takes, as it is served; ``slide``: cut into patches
            and mapped as slides are.
        rule: how the patches of a picture, slide or case become its one score, see
            ``export.case_rule``; None: the rule that the export carries. More than two
            classes know the mean alone.
        case_threshold: a score at or above it is called positive, in [0, 1]; None: the
            threshold that the run's validation split chose for the rule, and of more
            than two classes, which have none, must be null.
        top: how many patches ``top_mean`` takes; None: as many as the export says.
        case_pattern: regular expression whose first group is the case, searched in the
            path of a picture below ``--images``; None: by ``--cases``, else each
            picture is a case of its own.
        path_column: of the index ``--cases``: the picture, relative to ``--images``.
        case_column: of the index: the case.
    """

    pictures: Literal["patch", "slide"] = "patch"
    rule: CaseRule | None = None
    case_threshold: float | None = None
    top: int | None = None
    case_pattern: str | None = None
    path_column: str = "path"
    case_column: str = "case_id"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(
            self,
            case_threshold=("[0, 1]", "null takes the one that validation chose."),
            top=("[1, inf)", "null takes that of the export."),
        )
        require(
            self.top is None or self.rule == "top_mean",
            "top must come with rule=top_mean",
            "No other rule counts patches: leave top out.",
            top=self.top,
        )
        try:
            groups = re.compile(self.case_pattern or "()").groups
        except re.error as error:
            raise InputError(
                "case_pattern must be a regular expression, got "
                f"{self.case_pattern!r} ({error}). Put a backslash before signs meant "
                "literally."
            ) from error
        require(
            groups >= 1,
            "case_pattern must have a group around the case",
            "The folder that a picture lies in is '([^/]+)/[^/]+$'.",
            case_pattern=self.case_pattern,
        )

    @property
    def of_slides(self) -> HeatmapConfig:
        """The part of it that a heatmap takes."""
        names = (field.name for field in dataclasses.fields(HeatmapConfig))
        return HeatmapConfig(**{name: getattr(self, name) for name in names})

    def changed_of_slides(self) -> dict[str, Any]:
        """What differs from the defaults and matters to slides alone."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(HeatmapConfig)
            if field.name not in _OF_PICTURES
            and getattr(self, field.name) != field.default
        }
