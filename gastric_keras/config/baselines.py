"""What stage baselines can be told: classical methods, and features made elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from gastric_keras.support.errors import check_ranges, require

Classifier = Literal["lda", "knn", "svm", "logistic", "subspace", "probe"]

#: What the values 0 and 255 of a patch become before a SavedModel sees them.
INPUT_RANGES = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))


@dataclass(frozen=True)
class Method:
    """One baseline.

    Attributes:
        name: of its folder.
        title: for a reader.
        features: names of the features that it takes, side by side.
        classifier: a key of ``methods.GRIDS``.
    """

    name: str
    title: str
    features: tuple[str, ...]
    classifier: Classifier


KATHER = ("moments", "lbp_fourier", "glcm", "perception", "gabor")

#: The classical ones, in the order of the tables.
METHODS = (
    Method(
        "color_logistic", "Color alone + logistic regression", ("color",), "logistic"
    ),
    Method("glcm_lda", "GLCM + LDA", ("glcm",), "lda"),
    Method("glcm_knn", "GLCM + k-NN", ("glcm",), "knn"),
    Method("haralick_svm", "Haralick's 14 + SVM", ("haralick",), "svm"),
    Method("lbp_svm", "LBP + SVM", ("lbp",), "svm"),
    Method("glcm_lbp_svm", "GLCM + LBP + SVM", ("glcm", "lbp"), "svm"),
    Method("kather_svm", "Texture set of Kather et al. + SVM", KATHER, "svm"),
    Method("hlac_subspace", "HLAC + PCA subspaces", ("hlac",), "subspace"),
)


@dataclass(frozen=True)
class SavedModelConfig:
    """A SavedModel that turns a patch into a vector, such as Path Foundation.

    Attributes:
        path: folder of the SavedModel, the one that holds ``saved_model.pb``.
        title: for a reader; "": the name in the config.
        signature: one of those of the SavedModel.
        output: name of the signature's output that is the vector; null: its only one.
        image_size: side in px that patches are resized to; null: what the signature
            says.
        input_range: what the values 0 and 255 of a patch become: [0, 1], [0, 255] or
            [-1, 1]. Its publisher says which; a wrong one is not noticed, only worse.
            null: for a signature that takes uint8, which gets the patch as it is.
    """

    path: str
    title: str = ""
    signature: str = "serving_default"
    output: str | None = None
    image_size: int | None = None
    input_range: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_ranges(self, image_size=("[8, 4096]", "224 is usual."))
        require(
            self.input_range is None or self.input_range in INPUT_RANGES,
            "input_range must be [0, 1], [0, 255] or [-1, 1]",
            "Take the one that the publisher of the model names.",
            input_range=None if self.input_range is None else list(self.input_range),
        )


@dataclass(frozen=True)
class FeaturesFileConfig:
    """A file of vectors that another program made of the patches.

    Attributes:
        path: ``.npz`` or ``.h5``: one array a key, or the arrays ``keys`` and
            ``features``; ``python -m data_prep patches`` lists the keys.
        title: for a reader; "": the name in the config.
    """

    path: str
    title: str = ""


@dataclass(frozen=True)
class BaselinesConfig:
    """Features beside the classical ones; each gets a linear probe.

    Attributes:
        embeddings: name -> a SavedModel that stage baselines runs itself.
        features: name -> a file of vectors from any other program.
    """

    embeddings: dict[str, SavedModelConfig] = field(default_factory=dict)
    features: dict[str, FeaturesFileConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [*self.embeddings, *self.features]
        for name in names:
            require(
                re.fullmatch(r"[\w][\w-]*", name) is not None,
                "embeddings and features must have names of letters, digits, '_' and "
                "'-' only",
                "Each becomes the name of a folder; title is free text.",
                name=name,
            )
        taken = [method.name for method in METHODS]
        twice = {name for name in names if [*names, *taken].count(name) > 1}
        require(
            not twice,
            "embeddings and features must have names of their own, and none of the "
            f"classical methods {', '.join(taken)}",
            "Rename one of the two.",
            names=sorted(twice),
        )

    @property
    def probes(self) -> tuple[Method, ...]:
        """A linear probe of each, in the order of the config."""
        told: dict[str, SavedModelConfig | FeaturesFileConfig]
        told = {**self.embeddings, **self.features}
        return tuple(
            Method(name, f"{made.title or name} + linear probe", (name,), "probe")
            for name, made in told.items()
        )
