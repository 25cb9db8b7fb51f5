"""The target stage, t=2: its set, its classes and its labels."""

from __future__ import annotations

from dataclasses import dataclass, field

from gastric_keras.config.fit import AugmentConfig, FitConfig
from gastric_keras.records.subsets import CaseSubset
from gastric_keras.support.errors import check_ranges, require


def check_classes(classes: tuple[str, ...]) -> None:
    """Check the classes of a set as a config names them.

    Raises:
        InputError: fewer than two, or a name twice.
    """
    require(
        len(classes) >= 2 and len(set(classes)) == len(classes),
        "classes must have two or more different names",
        "Name them in the order of the manifest.",
        classes=classes,
    )


@dataclass(frozen=True)
class TargetConfig:
    """The target stage, t=2.

    Attributes:
        records: folder of the target set.
        classes: its classes, in the manifest's order.
        positive: of two classes the one whose probability is scored; null with more
            than two, where each class is scored against the rest.
        ordered: of more than two classes, whether their order is a ladder, such as
            normal, low grade, high grade, cancer: adds the quadratic-weighted kappa,
            and a case is of the highest class that any of its patches shows.
        subset: train on this nested subset only: a name in the manifest's subsets,
            a number of patches per class, or ``{cases: 3}`` for three whole cases per
            class, with as many for validation (``validation: all``: all of them);
            null: on all.
        subset_seed: another seed, another nested draw.
        fit: how it is fitted.
        augment: what its training patches go through.
    """

    records: str
    classes: tuple[str, ...] = ("benign", "malignant")
    positive: str | None = "malignant"
    ordered: bool = False
    subset: str | int | CaseSubset | None = None
    subset_seed: int = 0
    fit: FitConfig = field(default_factory=FitConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        check_classes(self.classes)
        if self.is_multiclass:
            require(
                self.positive is None,
                f"positive must be null with {len(self.classes)} classes",
                "Set target.positive=null: each class is scored against the rest.",
                positive=self.positive,
            )
        else:
            require(
                self.positive in self.classes,
                f"positive must be one of the classes {self.classes}",
                "Name the class whose probability is scored.",
                positive=self.positive,
            )
            require(
                not self.ordered,
                "ordered must be false with two classes",
                "Leave it out: it is about three classes or more.",
                ordered=self.ordered,
            )
        check_ranges(self, subset=("[1, inf)", "null trains on all patches."))

    @property
    def is_multiclass(self) -> bool:
        """Whether there are more than two classes."""
        return len(self.classes) > 2

    @property
    def scored_class(self) -> str:
        """The positive class of two."""
        assert self.positive is not None, "callers ask is_multiclass first"
        return self.positive
