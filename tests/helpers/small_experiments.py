"""Experiments that train in seconds, on sets of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from gastric_keras.config.experiment import (
    BackboneConfig,
    ExperimentConfig,
    MidConfig,
    RuntimeConfig,
    TargetConfig,
)
from gastric_keras.config.fit import FitConfig
from gastric_keras.training import tensorboard
from tests.helpers.small_sets import write_small_set

TISSUE = ("background", "epithelium", "stroma")
#: AlexNet with random weights, a little above its smallest size.
SMALL_ALEXNET = BackboneConfig("alexnet", weights="none", image_size=64)


def write_experiment(
    root: Path,
    name: str,
    *,
    target: dict[str, int],
    fit: FitConfig,
    mid: dict[str, int] | None = None,
    mid_fit: FitConfig | None = None,
    subsets: dict[str, int] | None = None,
    **sections: Any,
) -> ExperimentConfig:
    """Write a target set, and a tissue set before it if there is a t=1.

    Args:
        root: folder for ``target``, ``tissue`` and ``runs``.
        name: of the run.
        target: split -> patches a class.
        fit: of t=2.
        mid: as ``target``, of the tissue set; None: one stage.
        mid_fit: of t=1; None: as t=2.
        subsets: of the target set.
        sections: of the config, in place of those of here.
    """
    classes = ("benign", "malignant")
    folder = root / "target"
    write_small_set(folder, "target", classes, per_class=target, subsets=subsets)
    values: dict[str, Any] = {
        "backbone": SMALL_ALEXNET,
        "target": TargetConfig(str(folder), fit=fit),
        "runtime": RuntimeConfig(output=str(root / "runs")),
    }
    if mid is not None:
        write_small_set(root / "tissue", "tissue", TISSUE, per_class=mid)
        values["mid"] = MidConfig(str(root / "tissue"), TISSUE, fit=mid_fit or fit)
    return ExperimentConfig(name=name, **{**values, **sections})


@contextmanager
def without_pictures() -> Iterator[None]:
    """No pictures of the validation among the events of a fit: drawing is a third of
    the time of a small one. ``training/test_tensorboard.py`` looks at them."""
    with patch.object(tensorboard, "draw_validation", lambda *_, **__: {}):
        yield
