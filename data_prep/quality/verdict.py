"""How far a mid-level set can be trusted: its figures, the limits, what is bad."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

from data_prep.quality.quantities import QuantityFigures

#: Below it, no substantial structure: Kaufman and Rousseeuw 1990,
#: doi:10.1002/9780470316801.
MIN_SILHOUETTE = 0.25
#: "Excellent" agreement of partitions starts there: Steinley, Psychol. Methods 9:386
#: (2004), doi:10.1037/1082-989X.9.3.386.
MIN_STABILITY = 0.9
#: A large effect, by Cohen's conventions (Statistical Power Analysis, 1988).
MAX_ASSOCIATION = 0.5
#: "Outstanding", by Hosmer and Lemeshow (2000), doi:10.1002/0471722146: the mean of
#: one stain would do, and a network need not look at shapes.
MAX_STAIN_AUC = 0.9
#: Of a rank correlation: a single stain then explains most of the order.
MAX_STAIN_CORRELATION = 0.9
#: A tenth of the set teaches little beside the rest, and validates on few patches.
MIN_CLASS_SHARE = 0.1
#: With more, the class is that patient.
MAX_CASE_SHARE = 0.5
#: Of ten patches nine lost: the rules, not the data, chose the set. The paper kept 0.29
#: of its patches for nuclei.
MIN_KEPT = 0.1
#: One picture in twenty that does not read is no accident of one file.
MAX_SET_ASIDE = 0.05
#: The same pixels measured again give the same cluster but for leveling, which the
#: sample can only estimate.
MIN_AGREEMENT = 0.9

#: Bare glass is no tissue: that it holds no stain is what it is known by.
_GLASS = "background"


@dataclasses.dataclass(frozen=True)
class Association:
    """Cramer's V between two labels of every patch, in [0, 1]; 0 is none.

    Attributes:
        cramers_v: as such; rises with the number of cases alone.
        corrected: without that bias (Bergsma 2013).
    """

    cramers_v: float
    corrected: float


@dataclasses.dataclass(frozen=True)
class Quality:
    """The figures of a set.

    Attributes:
        dataset: kind of set.
        kept: split -> class -> number of patches.
        dropped: reason -> number of patches that were left out.
        share_kept: part of all patches that passed the rules, in [0, 1].
        images: number of pictures that patches come from.
        set_aside: number of pictures that could not be used.
        cases: number of patients.
        is_grouped: False when the cases are unknown.
        case_association: of class and case; None where there is one of either.
        source_association: of class and source; None for a set of one source.
        largest_cases: class -> (case with most of its patches, its share).
        sampled: number of patches whose pixels were looked at.
        hematoxylin_auc: classes compared -> AUC of the mean amount of hematoxylin
            alone, folded to [0.5, 1].
        clusters: silhouette, davies_bouldin, stability and sizes as measured when the
            patches were clustered; None where they were not.
        agreement: share of the sample whose nuclei, measured again, give the cluster
            stored; None where it cannot be known.
        config_sha256: of the manifest's config.
        quantities: name of a number beside the label -> its figures, of the sample.
        warnings: what is bad, in words.
    """

    dataset: str
    kept: dict[str, dict[str, int]]
    dropped: dict[str, int]
    share_kept: float
    images: int
    set_aside: int
    cases: int
    is_grouped: bool
    case_association: Association | None
    source_association: Association | None
    largest_cases: dict[str, tuple[str, float]]
    sampled: int
    hematoxylin_auc: dict[str, float]
    clusters: dict[str, Any] | None
    agreement: float | None
    config_sha256: str
    quantities: dict[str, QuantityFigures] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Row:
    """A figure in words.

    Attributes:
        name: of the figure.
        value: with its unit.
        limit: beyond which it is bad; empty where there is none.
        meaning: in a line.
        warning: why it is bad, in a sentence or two; empty where it is not.
    """

    name: str
    value: str
    limit: str
    meaning: str
    warning: str = ""


def rows_of(quality: Quality) -> Iterator[Row]:
    """Every figure of a set, with limit and sense, and a warning where it is bad."""
    yield from _contents(quality)
    yield from _class_shares(quality)
    yield from _clusters(quality)
    yield from _cases(quality)
    for what, tie in (
        ("case", quality.case_association),
        ("source", quality.source_association),
    ):
        if tie is not None:
            yield _tie(what, tie)
    yield from _stain(quality)
    yield from _quantities(quality)


def warnings_of(quality: Quality) -> list[str]:
    """What is bad, a sentence or two each; nothing where all is well."""
    return [row.warning for row in rows_of(quality) if row.warning]


def _contents(quality: Quality) -> Iterator[Row]:
    share = quality.share_kept
    yield Row(
        "share kept",
        f"{share:.1%}",
        f"at least {MIN_KEPT:.0%}",
        "of the patches that were looked at, those that passed the rules; a cap a "
        "class does not count against it",
        (share < MIN_KEPT)
        * f"Of all patches {share:.1%} passed the rules, less than {MIN_KEPT:.0%}: the "
        "rules choose what the set shows.",
    )
    images = quality.images + quality.set_aside
    yield Row(
        "pictures set aside",
        f"{quality.set_aside} of {images}",
        f"at most {MAX_SET_ASIDE:.0%}",
        "pictures that could not be used, of all that gave patches or were set aside",
        (quality.set_aside > MAX_SET_ASIDE * images)
        * f"{quality.set_aside} of {images} pictures were set aside, more than "
        f"{MAX_SET_ASIDE:.0%}: read the reasons in the manifest.",
    )


def _class_shares(quality: Quality) -> Iterator[Row]:
    totals = Counter[str]()
    for counts in quality.kept.values():
        totals.update(counts)
    for name, number in totals.items():
        share = number / max(totals.total(), 1)
        yield Row(
            f"share of {name}",
            f"{share:.1%}",
            f"at least {MIN_CLASS_SHARE:.0%}",
            "of all patches of the set",
            (share < MIN_CLASS_SHARE)
            * f"Class {name} has {share:.1%} of the patches, less than "
            f"{MIN_CLASS_SHARE:.0%}: hardly any of it is learned.",
        )


def _cases(quality: Quality) -> Iterator[Row]:
    yield Row(
        "cases",
        str(quality.cases) if quality.is_grouped else "not known",
        "known",
        "patients; where they are not known, each picture counts as one",
        (not quality.is_grouped)
        * "The cases are not known: one patient may be in several splits, and scores "
        "come out too good.",
    )
    for name, (case, share) in quality.largest_cases.items():
        yield Row(
            f"largest case of {name}",
            f"{share:.1%}",
            f"at most {MAX_CASE_SHARE:.0%}",
            f"of the class comes from {case}, more than from any other",
            (share > MAX_CASE_SHARE)
            * f"Case {case} gives {share:.0%} of class {name}, more than "
            f"{MAX_CASE_SHARE:.0%}: the class is that patient.",
        )


def _tie(what: str, tie: Association) -> Row:
    return Row(
        f"class and {what}",
        f"V {tie.corrected:.2f}",
        f"at most {MAX_ASSOCIATION}",
        f"Cramer's V, corrected for bias (as such {tie.cramers_v:.2f}): 0 where every "
        f"{what} has the classes in equal shares, 1 where the {what} says the class",
        (tie.corrected > MAX_ASSOCIATION)
        * f"The class is tied to the {what}: corrected Cramer's V is "
        f"{tie.corrected:.2f}, above {MAX_ASSOCIATION}. A network can learn to tell "
        f"{what}s apart in place of tissue.",
    )


def _stain(quality: Quality) -> Iterator[Row]:
    for name, area in quality.hematoxylin_auc.items():
        is_glass = quality.dataset == "tissue" and name == _GLASS
        against = name if " against " in name else f"{name} against the rest"
        yield Row(
            f"hematoxylin alone: {against}",
            f"AUC {area:.2f}",
            "none: glass holds no stain" if is_glass else f"at most {MAX_STAIN_AUC}",
            "how well the mean amount of this stain tells the class; 0.5 is not at "
            "all, 1 is without fail",
            (area > MAX_STAIN_AUC and not is_glass)
            * f"The mean amount of hematoxylin alone tells {against} with an AUC of "
            f"{area:.2f}, above {MAX_STAIN_AUC}: a network need not look at shapes.",
        )


def _quantities(quality: Quality) -> Iterator[Row]:
    for name, figures in quality.quantities.items():
        found = figures.stain_correlation
        is_stain = name in (_GLASS, "hematoxylin")
        is_bad = found is not None and found > MAX_STAIN_CORRELATION and not is_stain
        stain = "not defined" if found is None else f"{found:.2f}"
        yield Row(
            f"quantity {name}",
            f"{figures.mean:.2f} ± {figures.deviation:.2f}",
            "none" if is_stain else f"stain at most {MAX_STAIN_CORRELATION}",
            "mean and deviation between patches; absolute rank correlation with the "
            f"mean amount of hematoxylin: {stain}",
            is_bad
            * f"The mean amount of hematoxylin alone orders the patches by {name} "
            f"(rank correlation {stain}, above {MAX_STAIN_CORRELATION}): a network "
            "need not look at shapes.",
        )


def _clusters(quality: Quality) -> Iterator[Row]:
    if quality.clusters is None:
        return
    silhouette = quality.clusters["silhouette"]
    yield Row(
        "silhouette",
        f"{silhouette:.2f}",
        f"at least {MIN_SILHOUETTE}",
        "how much nearer a patch lies to its own cluster than to the next; at most 1",
        (silhouette < MIN_SILHOUETTE)
        * f"The silhouette of the clusters is {silhouette:.2f}, below "
        f"{MIN_SILHOUETTE}: they are parts of one cloud, not groups.",
    )
    yield Row(
        "Davies-Bouldin index",
        f"{quality.clusters['davies_bouldin']:.2f}",
        "",
        "width of the clusters over the distance between them; less is better",
    )
    stability = quality.clusters["stability"]
    yield Row(
        "stability",
        f"{stability:.2f}",
        f"at least {MIN_STABILITY}",
        "adjusted Rand index against k-means from other seeds; 1 is always the same",
        (stability < MIN_STABILITY)
        * f"Other seeds give other clusters: their mean agreement is {stability:.2f}, "
        f"below {MIN_STABILITY}.",
    )
    sizes = " + ".join(f"{size:,}" for size in quality.clusters["sizes"])
    yield Row("cluster sizes", sizes, "", "patches, before any cap a class")
    if quality.agreement is not None:
        yield Row(
            "measured again",
            f"{quality.agreement:.1%}",
            f"at least {MIN_AGREEMENT:.0%}",
            f"of {quality.sampled:,} patches, those whose nuclei give their cluster",
            (quality.agreement < MIN_AGREEMENT)
            * f"Measured again, {quality.agreement:.0%} of the patches fall into the "
            f"cluster stored for them, less than {MIN_AGREEMENT:.0%}.",
        )
