"""The figures of the paper, on its private gastric data: tables 1 to 3.

Qu et al., Gastric Pathology Image Classification Using Stepwise Fine-Tuning for Deep
Neural Networks, Journal of Healthcare Engineering 2018, doi 10.1155/2018/8961781. One
run a cell, no intervals. Precision and recall of the VGG-16 rows are of the malignant
class; those of AlexNet and Inception V3 are averages over both (recall equals ACC).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

SOURCE = "Qu et al. 2018, private gastric data"

#: Table 1: patches of each class.
SETS = (
    "tissue 15,000 + 15,000 + 15,000, nuclei 6,905 + 5,811, small 540 + 540, large "
    "5,400 + 5,400, validation 1,620 + 1,620, test 2,700 + 2,700"
)


@dataclass(frozen=True)
class PublishedScores:
    """A cell of table 2 or 3."""

    auc: float
    accuracy: float
    precision: float
    recall: float

    def __str__(self) -> str:
        """``.879 .793 .863 .695``."""
        return " ".join(f"{value:.3f}".lstrip("0") for value in astuple(self))


_COLUMNS = ("vgg16", "alexnet", "inception_v3")
_TABLES = {
    ("small", "one stage"): (
        (0.879, 0.793, 0.863, 0.695),
        (0.828, 0.723, 0.74, 0.72),
        (0.838, 0.753, 0.75, 0.75),
    ),
    ("small", "tissue"): (
        (0.914, 0.829, 0.865, 0.781),
        (0.844, 0.761, 0.76, 0.76),
        (0.877, 0.772, 0.79, 0.77),
    ),
    ("small", "nuclei"): (
        (0.902, 0.815, 0.873, 0.730),
        (0.852, 0.777, 0.78, 0.78),
        (0.872, 0.784, 0.78, 0.78),
    ),
    ("large", "one stage"): (
        (0.936, 0.836, 0.957, 0.703),
        (0.867, 0.794, 0.80, 0.79),
        (0.881, 0.779, 0.79, 0.78),
    ),
    ("large", "tissue"): (
        (0.963, 0.881, 0.869, 0.898),
        (0.920, 0.837, 0.84, 0.84),
        (0.934, 0.862, 0.86, 0.86),
    ),
    ("large", "nuclei"): (
        (0.965, 0.890, 0.881, 0.901),
        (0.915, 0.834, 0.84, 0.83),
        (0.933, 0.862, 0.86, 0.86),
    ),
}
#: Network, subset, path -> the paper's scores.
SCORES = {
    (backbone, *cell): PublishedScores(*row)
    for cell, rows in _TABLES.items()
    for backbone, row in zip(_COLUMNS, rows, strict=True)
}


def published_scores(backbone: str, subset: str, path: str) -> PublishedScores | None:
    """The paper's cell of the same name; None: it has none.

    Args:
        backbone: vgg16, alexnet or inception_v3.
        subset: small; large, or all, which stands for it.
        path: one stage, tissue or nuclei.
    """
    return SCORES.get((backbone, "large" if subset == "all" else subset, path))


def published_gain(backbone: str, subset: str, path: str) -> float | None:
    """AUC of two stages less that of one in the paper; arguments as above."""
    two = published_scores(backbone, subset, path)
    one = published_scores(backbone, subset, "one stage")
    if two is None or one is None or path == "one stage":
        return None
    return two.auc - one.auc


_GAINS = [gain for cell in SCORES if (gain := published_gain(*cell)) is not None]
#: Least and most of the twelve, for the band in the picture.
GAIN_RANGE = (round(min(_GAINS), 3), round(max(_GAINS), 3))
