"""What the mid-level stage, t=1, can be told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from gastric_keras.config.fit import AugmentConfig, FitConfig
from gastric_keras.config.target import check_classes
from gastric_keras.support.errors import check_ranges, require

MidVariant = Literal["stepwise", "shuffled_labels", "more_updates", "joint"]
MidTask = Literal["classes", "shares", "measures", "self_supervised"]
#: What a zoomed patch would no longer be true of.
UNZOOMED = ("shares", "measures")


@dataclass(frozen=True)
class ContrastConfig:
    """Self-supervised t=1: two views of a patch are to be known as such (SimCLR, Chen
    et al., ICML 2020, arXiv 2002.05709). ``augment`` makes the views, with a crop.

    Attributes:
        temperature: by which similarities are divided; lower counts near ones more.
        dimensions: of the projection that is compared, and then left behind.
        crop: a view shows a square of side 1 − ``crop`` to 1 of the patch's, at a
            random place and enlarged to the whole; 0: off.
    """

    temperature: float = 0.5
    dimensions: int = 128
    crop: float = 0.5

    def __post_init__(self) -> None:
        check_ranges(
            self,
            temperature=("(0, inf)", "0.1 to 0.5 is usual."),
            dimensions=("[2, inf)", "128 is usual."),
            crop=("[0, 1)", "0 switches it off; 0.5 is usual."),
        )


@dataclass(frozen=True)
class SecondSetConfig:
    """A second mid-level set, which a head of its own learns in the same t=1.

    Half of every batch is of each set.

    Attributes:
        records: folder of the set.
        classes: see ``MidConfig.classes``.
        task: see ``MidConfig.task``.
        weight: of its loss, in (0, 1); that of the first set has the rest.
        augment: what its training patches go through; null: what those of the first
            do.
    """

    records: str
    classes: tuple[str, ...]
    task: Literal["classes", "shares", "measures"] = "classes"
    weight: float = 0.5
    augment: AugmentConfig | None = None

    def __post_init__(self) -> None:
        check_classes(self.classes)
        hint = "0.5 counts both sets alike; mid.second: null leaves this one out."
        check_ranges(self, weight=("(0, 1)", hint))


@dataclass(frozen=True)
class MidConfig:
    """The mid-level stage, t=1.

    Attributes:
        records: folder of the mid-level set.
        classes: its classes, in the manifest's order; with ``task: measures``, the
            names of its measures.
        task: what t=1 learns of it. ``classes``: the class of each patch. ``shares``:
            the share of each class in each patch (soft cross-entropy; a set of
            ``data_prep tissue`` with ``task: shares``). ``measures``: standardized
            measures of its nuclei (linear head, Huber loss; a set of ``data_prep
            nuclei`` with ``task: measures``). ``self_supervised``: two views of a patch
            are one patch, see ``contrast``; no label is used, of any mid-level set.
        contrast: how ``self_supervised`` is done; null: the defaults.
        second: a set that a second head learns in the same t=1, such as nuclei beside
            tissue; null: one set.
        variant: ``stepwise``: the method, t=1 before t=2. The others are its controls:
            ``shuffled_labels``: the same, with randomly permuted labels; validation
            cannot choose there, so the last epoch of t=1 is kept;
            ``more_updates``: no t=1, t=2 gets its updates as more steps in each epoch;
            ``joint``: no t=1, but a second head that learns the mid-level set during
            t=2, in as many updates.
        init: weights of a finished t=1 of the same backbone and classes, from this or
            another lab, to take instead of training it; null: train it.
        blend: share of t=1 in the backbone that t=2 starts from, in (0, 1]; the rest is
            that of ImageNet. Averaging the two keeps what t=1 would make the network
            forget (Wortsman et al., CVPR 2022, doi 10.1109/CVPR52688.2022.00780).
        allow_unequal_normalization: train though data_prep normalized the stain of the
            mid-level set and of the target set differently, or only one of them.
        allow_unequal_scale: train though a patch of one set shows five times the width
            of tissue, µm, that one of the other shows, or more.
        fit: how it is fitted.
        augment: what its training patches go through.
    """

    records: str
    classes: tuple[str, ...]
    variant: MidVariant = "stepwise"
    init: str | None = None
    blend: float = 1.0
    allow_unequal_normalization: bool = False
    allow_unequal_scale: bool = False
    fit: FitConfig = field(default_factory=FitConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    task: MidTask = "classes"
    contrast: ContrastConfig | None = None
    second: SecondSetConfig | None = None

    def __post_init__(self) -> None:
        check_classes(self.classes)
        hint = "1 starts t=2 from t=1 alone; mid: null leaves t=1 out."
        check_ranges(self, blend=("(0, 1]", hint))
        require(
            self.has_stage or (self.init is None and self.blend == 1),
            f"init and blend must keep their defaults with variant: {self.variant}",
            "It has no t=1 that they could apply to: remove both.",
            init=self.init,
            blend=self.blend,
        )

        is_by_validation = (
            self.fit.schedule == "plateau"
            or self.fit.patience is not None
            or self.fit.stop_at is not None
        )
        require(
            self.variant != "shuffled_labels" or not is_by_validation,
            "fit must not go by validation with variant: shuffled_labels",
            "Its validation labels are shuffled too: leave out schedule: plateau, "
            "patience and stop_at.",
            schedule=self.fit.schedule,
            patience=self.fit.patience,
            stop_at=self.fit.stop_at,
        )

        self._check_task()
        self._check_second()

    def _check_task(self) -> None:
        """Refuse what another task than classes cannot do, or would do to it."""
        require(
            self.task == "self_supervised" or self.contrast is None,
            "contrast must be null unless task is self_supervised",
            "Remove it, or set task: self_supervised.",
            contrast=self.contrast,
            task=self.task,
        )
        if self.task == "classes":
            return
        require(
            self.variant in ("stepwise", "more_updates"),
            f"variant must be stepwise or more_updates with task: {self.task}",
            "The other controls are of classes.",
            variant=self.variant,
        )
        require(
            self.fit.stop_at is None,
            f"fit.stop_at must be null with task: {self.task}",
            "It is a validation AUC, which only classes have; patience works.",
            stop_at=self.fit.stop_at,
        )
        is_contrast = self.task == "self_supervised"
        require(
            not (is_contrast and self.fit.head == "probe"),
            "fit.head must be random with task: self_supervised",
            "No label is there to fit a probe to.",
            head=self.fit.head,
        )
        require(
            self.task not in UNZOOMED or not self.augment.zoom,
            f"augment.zoom must be 0 with task: {self.task}",
            "A zoomed patch has other shares and larger nuclei.",
            zoom=self.augment.zoom,
        )

    def _check_second(self) -> None:
        """Refuse a second set beside what knows one only."""
        second = self.second
        if second is None:
            return
        require(
            self.task != "self_supervised",
            "second must be null with task: self_supervised",
            "Its loss is of one set: remove second, or set another task.",
            second=second.records,
        )
        require(
            self.variant in ("stepwise", "more_updates"),
            "variant must be stepwise or more_updates with a second set",
            "The other controls are of one set.",
            variant=self.variant,
        )
        require(
            self.fit.stop_at is None,
            "fit.stop_at must be null with a second set",
            "It is the AUC of one set; patience works, by the mean of both scores.",
            stop_at=self.fit.stop_at,
        )
        require(
            self.fit.batch_size % 2 == 0,
            "fit.batch_size must be even with a second set",
            "Half of every batch is of each set.",
            batch_size=self.fit.batch_size,
        )
        augment = second.augment or self.augment
        require(
            second.task not in UNZOOMED or not augment.zoom,
            f"second.augment.zoom must be 0 with second.task: {second.task}",
            "A zoomed patch has other shares and larger nuclei. Where the first set is "
            "zoomed, give the second an augment of its own.",
            zoom=augment.zoom,
        )

    @property
    def parts(self) -> tuple[MidConfig, ...]:
        """The section of each of its sets; of two, with half of every batch."""
        second = self.second
        if second is None:
            return (self,)
        fit = replace(self.fit, batch_size=self.fit.batch_size // 2)
        first = replace(self, second=None, fit=fit)
        return first, replace(
            first,
            records=second.records,
            classes=second.classes,
            task=second.task,
            augment=second.augment or self.augment,
        )

    @property
    def sets(self) -> dict[str, str]:
        """Name of each of its sets, for a reader -> folder."""
        names = ("mid-level set", "second mid-level set")
        return {name: part.records for name, part in zip(names, self.parts)}

    @property
    def has_stage(self) -> bool:
        """Whether there is a t=1 that t=2 starts from."""
        return self.variant in ("stepwise", "shuffled_labels")
