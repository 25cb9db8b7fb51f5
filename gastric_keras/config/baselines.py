"""What stage baselines can be told: classical methods, and features made elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from gastric_keras.support.errors import check_ranges, require

Classifier = Literal["lda", "knn", "svm", "logistic", "subspace", "probe"]

#: Of a classifier, for a reader.
_WORDS: dict[Classifier, str] = {
    "lda": "LDA",
    "knn": "k-NN",
    "svm": "SVM",
    "logistic": "logistic regression",
    "subspace": "PCA subspaces",
    "probe": "linear probe",
}

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
    Method("esgiar_lda", "Esgiar's six + LDA", ("esgiar",), "lda"),
    Method("esgiar_svm", "Esgiar's six + SVM", ("esgiar",), "svm"),
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
            ``features``; ``python -m data_prep patches`` lists the keys, and
            ``python -m data_prep measure`` writes such a file of the nuclei.
        title: for a reader; "": the name in the config.
        classifier: of these vectors: the linear probe that a network's features get,
            or one of the classical methods': lda, knn, svm, logistic, subspace.
    """

    path: str
    title: str = ""
    classifier: Classifier = "probe"


@dataclass(frozen=True)
class BaselinesConfig:
    """Which classical methods, and the features beside them.

    Attributes:
        embeddings: name -> a SavedModel that stage baselines runs itself.
        features: name -> a file of vectors from any other program.
        methods: names of the classical methods to run; null: all.
    """

    embeddings: dict[str, SavedModelConfig] = field(default_factory=dict)
    features: dict[str, FeaturesFileConfig] = field(default_factory=dict)
    methods: tuple[str, ...] | None = None

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
        unknown = sorted(set(self.methods or ()) - set(taken))
        require(
            not unknown,
            f"methods must be names of classical methods: {', '.join(taken)}",
            "Use null for all of them.",
            unknown=unknown,
        )
        require(
            self.methods is None or len({*self.methods, *names}) > 0,
            "methods must name a classical method where there are no embeddings and "
            "no features",
            "Use null for all of them.",
            methods=[],
        )
        twice = {name for name in names if [*names, *taken].count(name) > 1}
        require(
            not twice,
            "embeddings and features must have names of their own, and none of the "
            f"classical methods {', '.join(taken)}",
            "Rename one of the two.",
            names=sorted(twice),
        )

    @property
    def chosen(self) -> tuple[Method, ...]:
        """The classical methods to run, in the order of the tables."""
        if self.methods is None:
            return METHODS
        return tuple(method for method in METHODS if method.name in self.methods)

    @property
    def others(self) -> tuple[Method, ...]:
        """A classifier of each of the other features, in the order of the config."""
        told: dict[str, tuple[str, Classifier]]
        told = {name: (made.title, "probe") for name, made in self.embeddings.items()}
        told |= {k: (made.title, made.classifier) for k, made in self.features.items()}
        return tuple(
            Method(name, f"{title or name} + {_WORDS[kind]}", (name,), kind)
            for name, (title, kind) in told.items()
        )
