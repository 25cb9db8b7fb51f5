"""From the answers of a model to what a heatmap shows, for two classes and for more."""

from __future__ import annotations

from gastric_keras.config.heatmap import HeatmapConfig
from gastric_keras.heatmap.class_finding import ClassFinding, find_classes
from gastric_keras.heatmap.patches import PatchPlan
from gastric_keras.heatmap.positive_finding import PositiveFinding, find_positive
from gastric_keras.serving.exported_answer import Answer
from gastric_keras.serving.exported_model import ExportedModel
from gastric_keras.support.errors import require


def check_options(config: HeatmapConfig, model: ExportedModel) -> None:
    """Check what is asked of a heatmap against the classes of the model.

    Raises:
        InputError: a class to show that the model has not, or has no choice of; a
            level with more than two classes.
    """
    if model.positive is not None:
        require(
            config.map_class is None,
            "map_class must be null with a model of two classes",
            f"Leave it out: the map shows {model.positive}.",
            map_class=config.map_class,
        )
        return
    require(
        config.map_class in (None, *model.scored_classes),
        f"map_class must be null or one of {', '.join(model.scored_classes)}",
        "null shows the class that each place is called.",
        map_class=config.map_class,
    )
    require(
        config.level is None,
        f"level must be null with {len(model.scored_classes)} classes",
        "Leave it out: a place belongs to the class of its highest probability.",
        level=config.level,
    )


def find(
    config: HeatmapConfig,
    model: ExportedModel,
    plan: PatchPlan,
    answer: Answer,
    shape: tuple[int, int],
) -> PositiveFinding | ClassFinding:
    """Map what a model answered.

    Args:
        config: checked by :func:`check_options`.
        model: that answered.
        plan: the patches.
        answer: to them, in the same order.
        shape: (H, W) of the part of the slide that the grid covers, px.
    """
    if model.positive is None:
        return find_classes(config, model.scored_classes, plan, answer, shape)
    return find_positive(config, model.positive, plan, answer, shape)
