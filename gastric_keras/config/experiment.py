"""What an experiment is: frozen dataclasses whose meaning is checked when made."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Literal

from gastric_keras.config.backbones import BackboneName, check_image_size
from gastric_keras.config.baselines import BaselinesConfig
from gastric_keras.config.cohorts import CohortConfig, check_cohort_names
from gastric_keras.config.mid import MidConfig
from gastric_keras.config.target import TargetConfig
from gastric_keras.records.cases import CaseRule
from gastric_keras.support.errors import InputError, check_ranges, require

#: Stage of a model -> its name for a reader.
LADDER = {"initial": "t=0", "mid": "t=1", "target": "t=2"}


@dataclass(frozen=True)
class BackboneConfig:
    """The pre-trained network, t=0.

    Attributes:
        name: vgg16, alexnet, inception_v3, or what ``register_backbone`` added.
        weights: ``imagenet`` (the official file), ``none`` (random), or the path of
            a weights file of that network.
        image_size: side in px that every patch is resized to.
        dropout: rate before the head, in [0, 1).
        batch_norm: ``frozen`` keeps the statistics of ImageNet, ``train`` adapts them
            (Inception V3 only; VGG-16 and AlexNet have none).
    """

    name: BackboneName
    weights: str = "imagenet"
    image_size: int = 224
    dropout: float = 0.5
    batch_norm: Literal["frozen", "train"] = "frozen"

    def __post_init__(self) -> None:
        check_image_size(self.name, self.image_size)
        check_ranges(self, dropout=("[0, 1)", "0 switches it off."))


@dataclass(frozen=True)
class EvaluateConfig:
    """How scores are made.

    Attributes:
        bootstrap: number of case-clustered bootstrap draws for the intervals.
        confidence: of the intervals, in (0, 1).
        subgroups: name -> regular expression that is sought in the image ids: these
            patches are scored by themselves too, such as the hard ones.
        external: name -> further target set, such as another hospital's, that the
            finished run is scored on too.
    """

    bootstrap: int = 1000
    confidence: float = 0.95
    subgroups: dict[str, str] = field(default_factory=dict)
    external: dict[str, CohortConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_cohort_names(self.external)
        check_ranges(
            self,
            bootstrap=("[100, inf)", "1000 is usual."),
            confidence=("(0, 1)", "0.95 is usual."),
        )

        for name, pattern in self.subgroups.items():
            try:
                re.compile(pattern)
            except re.error as error:
                raise InputError(
                    f"subgroups.{name} must be a regular expression, got {pattern!r} "
                    f"({error}). Put a backslash before signs meant literally."
                ) from error

    @property
    def of_own_splits(self) -> dict[str, object]:
        """What the scores of validation and test hang on: all but the cohorts."""
        return {key: v for key, v in asdict(self).items() if key != "external"}


@dataclass(frozen=True)
class ExportConfig:
    """What is written beside the SavedModel.

    Attributes:
        onnx: ``model.onnx`` too; needs ``.[onnx]`` and precision float32.
        case_rule: how ``--stage predict`` makes one score of the patches of a case or
            slide, unless it is told otherwise: ``mean``, as evaluation does;
            ``maximum``; ``top_mean``, the mean of the highest; ``any_of``, the share
            called positive. The threshold of each is chosen on validation.
        case_top: how many patches ``top_mean`` takes.
    """

    onnx: bool = False
    case_rule: CaseRule = "mean"
    case_top: int = 10

    def __post_init__(self) -> None:
        check_ranges(self, case_top=("[1, inf)", "1 is the maximum; 10 is usual."))


@dataclass(frozen=True)
class RuntimeConfig:
    """Where and how a run is carried out.

    Attributes:
        output: folder of all runs; a run's files go to ``output/name``.
        devices: TensorFlow device names to train on, such as [GPU:0, GPU:1]; null:
            every GPU, else the CPU.
        precision: Keras dtype policy; the head stays in float32. ``auto`` takes what
            the device has in hardware: mixed_bfloat16 on GPUs and processors with it,
            mixed_float16 on older GPUs, else float32.
        deterministic: same bits for the same seed, at some cost in speed.
    """

    output: str = "tensorboard_logs"
    devices: tuple[str, ...] | None = None
    precision: Literal["float32", "auto", "mixed_bfloat16", "mixed_float16"] = "float32"
    deterministic: bool = False


@dataclass(frozen=True)
class ExperimentConfig:
    """One run of the ladder t=0 → t=1 → t=2.

    Attributes:
        name: of the run, and of its folder.
        backbone: t=0.
        mid: t=1; null: one stage, straight from t=0 to t=2.
        target: t=2.
        evaluate: scores.
        export: the served model.
        runtime: where and how.
        seed: of initial weights, order and augmentation.
        baselines: features made elsewhere, beside the classical methods.
    """

    name: str
    backbone: BackboneConfig
    target: TargetConfig
    mid: MidConfig | None = None
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    export: ExportConfig = field(default_factory=ExportConfig)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    seed: int = 0
    baselines: BaselinesConfig = field(default_factory=BaselinesConfig)

    def __post_init__(self) -> None:
        require(
            re.fullmatch(r"[\w][\w.-]*", self.name) is not None,
            "name must have letters, digits, '.', '_' and '-' only",
            "It becomes the name of a folder.",
            name=self.name,
        )
        has_epochs = self.mid is None or self.mid.has_stage or self.target.fit.epochs
        require(
            bool(has_epochs),
            "target.fit.epochs must be at least 1 without a t=1",
            "The updates of t=1 are added to the epochs of t=2: set it to 1 or more.",
            epochs=self.target.fit.epochs,
        )
        require(
            not self.target.is_multiclass or self.export.case_rule == "mean",
            "export.case_rule must be mean with more than two classes",
            "Leave it out: a case is of the highest mean probability.",
            case_rule=self.export.case_rule,
            classes=list(self.target.classes),
        )

    @property
    def has_mid_stage(self) -> bool:
        """Whether there is a t=1 that t=2 starts from."""
        return self.mid is not None and self.mid.has_stage

    @property
    def ladder(self) -> dict[str, str]:
        """The part of LADDER that this run has a model of."""
        has = {"mid": self.has_mid_stage}
        return {stage: t for stage, t in LADDER.items() if has.get(stage, True)}
