"""What data_prep can be told: frozen dataclasses, their meaning checked at the door."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

from data_prep.config.measures import ArtifactConfig, ClusterConfig, NucleiConfig
from data_prep.config.sources import (
    ColumnsConfig,
    PatchRules,
    SourceConfig,
    SplitConfig,
    WhiteConfig,
)
from gastric_keras.imaging.normalization import STAIN_METHODS
from gastric_keras.imaging.scale import LEAST_MPP, MOST_MPP, is_possible
from gastric_keras.records.manifest import SPLITS
from gastric_keras.support.errors import require

__all__ = [
    "ArtifactConfig",
    "ClusterConfig",
    "ColumnsConfig",
    "NucleiConfig",
    "NucleiSetConfig",
    "PatchRules",
    "SetConfig",
    "SourceConfig",
    "SplitConfig",
    "TargetSetConfig",
    "TissueSetConfig",
    "WhiteConfig",
    "with_source",
]


@dataclass(frozen=True)
class SetConfig:
    """What the three kinds of set have in common.

    Attributes:
        sources: the collections; the command line may name the one instead.
        classes: class names, in label order.
        labels: class name in the data -> class of the set, ``ignore``, or, of outlines,
            ``hole``.
        patch_size: side of the patches in px; 0 takes whole images.
        stride: px between patches; null sets them edge to edge.
        mpp: µm per px; 0.0 is not known.
        stored_size: side in px that every patch is resized to; null stores it as
            it was cut.
        patch_um: side of the patches in µm at full resolution, in place of
            patch_size, where the scale of every picture is known; null takes px.
        min_slide_tissue: least share of a patch of a whole slide that shows tissue,
            by a small view of the slide; 0 takes all. Not asked of mapped tissue.
        artifacts: which patches pen, blur or bare glass exclude; null takes all.
        normalization: of the stain, ``reinhard`` or ``macenko``, fitted to each
            picture or slide; null stores the colors as they are.
        splits: shares of the splits.
        max_per_class: split -> most patches of a class; the first by nested rank.
        even_sources: where max_per_class cuts a class, take as evenly from the sources,
            and in each from its cases, as they allow: else the class may be the lab.
        subsets: name -> patches per class out of train, each inside the next.
        records_per_shard: about how many records a file holds.
        max_pixels: pictures with more pixels are set aside.
    """

    sources: tuple[SourceConfig, ...] = ()
    classes: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    patch_size: int = 256
    stride: int | None = None
    mpp: float = 0.0
    stored_size: int | None = None
    patch_um: float | None = None
    min_slide_tissue: float = 0.25
    artifacts: ArtifactConfig | None = field(default_factory=ArtifactConfig)
    normalization: str | None = None
    splits: SplitConfig = field(default_factory=SplitConfig)
    max_per_class: dict[str, int] = field(default_factory=dict)
    even_sources: bool = False
    subsets: dict[str, int] = field(default_factory=dict)
    records_per_shard: int = 1000
    max_pixels: int = 200_000_000

    def __post_init__(self) -> None:
        """Check classes, sizes and limits."""
        require(
            len(set(self.classes)) == len(self.classes) >= 2,
            "classes must be two or more different names",
            "Fix the classes list.",
            classes=self.classes,
        )
        self._check_sizes()
        require(
            self.normalization in (None, *STAIN_METHODS),
            f"normalization must be one of null, {', '.join(STAIN_METHODS)}",
            "null stores the colors as they are.",
            normalization=self.normalization,
        )
        for split in self.max_per_class:
            require(
                split in SPLITS,
                f"max_per_class must have keys among {', '.join(SPLITS)}",
                "Example: max_per_class: {train: 15000}",
                split=split,
            )
        limits = {**self.max_per_class, **self.subsets}
        limits["records_per_shard"] = self.records_per_shard
        for name, limit in limits.items():
            require(
                limit >= 1,
                f"{name} must be 1 or more",
                "Give a larger number.",
                **{name: limit},
            )

    def _check_sizes(self) -> None:
        sizes = [("the set", self.patch_size, self.stride, self.mpp)]
        for source in self.sources:
            sizes.append(
                (
                    source.images,
                    source.patch_size or 0,
                    source.stride,
                    source.mpp or 0.0,
                )
            )
        for where, size, stride, mpp in sizes:
            require(
                size >= 0 and (stride is None or stride >= 1) and mpp >= 0,
                "patch_size must be 0 or more, stride 1 or more and mpp 0 or more",
                "patch_size 0 takes whole images; mpp 0 means not known.",
                where=where,
                patch_size=size,
                stride=stride,
                mpp=mpp,
            )
            require(
                mpp == 0 or is_possible(mpp),
                f"mpp must be in [{LEAST_MPP}, {MOST_MPP}] µm/px, or 0 where it is not "
                "known",
                "Scanners give 0.25 (×40) or 0.5 (×20).",
                mpp=mpp,
                where=where,
            )
        require(
            self.patch_um is None or self.patch_um > 0,
            "patch_um must be above 0 µm",
            "null takes patch_size, in px.",
            patch_um=self.patch_um,
        )
        require(
            0 <= self.min_slide_tissue <= 1,
            "min_slide_tissue must be in [0, 1]",
            "0 takes every patch.",
            min_slide_tissue=self.min_slide_tissue,
        )
        require(
            self.stored_size is None or self.stored_size >= 1,
            "stored_size must be 1 px or more",
            "null stores patches as they were cut.",
            stored_size=self.stored_size,
        )


@dataclass(frozen=True)
class TissueSetConfig(SetConfig):
    """The mid-level tissue set: patches cut from region maps.

    Attributes:
        rules: which patches are clear enough.
        task: what t=1 may learn of it. ``classes``: the class of each clear patch.
            ``shares``: the share of each class in every patch as well, so that no patch
            is too mixed; the class is then that of most of its pixels.
    """

    classes: tuple[str, ...] = ("background", "epithelium", "stroma")
    rules: PatchRules = field(default_factory=PatchRules)
    task: Literal["classes", "shares"] = "classes"

    def __post_init__(self) -> None:
        """Check that no rule is given that has nothing to rule."""
        super().__post_init__()
        plain = PatchRules(min_coverage=self.rules.min_coverage)
        require(
            self.task != "shares" or self.rules == plain,
            "rules must not set min_purity or class_purity with task: shares",
            "No patch is too mixed there: remove both, or set task: classes.",
            min_purity=self.rules.min_purity,
            class_purity=self.rules.class_purity,
        )


@dataclass(frozen=True)
class TargetSetConfig(SetConfig):
    """The target set: pictures that an expert labelled, whole or in a grid."""

    classes: tuple[str, ...] = ("benign", "malignant")
    # What an expert chose and labeled stays, unless it is asked for.
    artifacts: ArtifactConfig | None = None
    # The paper's 5,400 : 1,620 : 2,700 patches a class.
    splits: SplitConfig = field(
        default_factory=lambda: SplitConfig(train=0.55, validation=0.17, test=0.28)
    )


@dataclass(frozen=True)
class NucleiSetConfig(SetConfig):
    """The mid-level nuclei set: patches clustered with no label at all.

    Attributes:
        nuclei: how nuclei are found; its mpp follows the stored patch.
        clusters: which patches can be measured, and how they are clustered.
        level_sources: bring counts, areas and measures of every source to the mean and
            deviation of all; else the clusters of two labs are the labs.
        task: what t=1 may learn of it. ``classes``: the cluster of each patch.
            ``measures``: seven measures of its nuclei as well, leveled and
            standardized; pictures must then have a scale that shows nuclei.
    """

    classes: tuple[str, ...] = ("cluster_0", "cluster_1")
    nuclei: NucleiConfig = field(default_factory=NucleiConfig)
    clusters: ClusterConfig = field(default_factory=ClusterConfig)
    level_sources: bool = True
    task: Literal["classes", "measures"] = "classes"

    def __post_init__(self) -> None:
        """Check that every cluster has its class."""
        super().__post_init__()
        require(
            len(self.classes) == self.clusters.clusters,
            "a nuclei set must have one class for each cluster",
            "Change classes or clusters.clusters.",
            classes=self.classes,
            clusters=self.clusters.clusters,
        )


def with_source(
    config: SetConfig,
    *,
    images: str | None = None,
    annotations: str | None = None,
    index: str | None = None,
) -> SetConfig:
    """Put the folders of the command line into the config's one source.

    Args:
        config: with one source or none; several only when nothing is given.
        images: folder of the pictures.
        annotations: folder of the region maps.
        index: CSV.

    Raises:
        InputError: several sources, so that it is not clear which is meant.
    """
    if images is annotations is index is None:
        return config
    require(
        len(config.sources) <= 1,
        "beside --images, --annotations and --cases, the config must have at most one "
        "source",
        "Name the folders in the config's sources, and leave these flags out.",
        sources=len(config.sources),
    )
    source = config.sources[0] if config.sources else SourceConfig()
    source = dataclasses.replace(
        source,
        images=source.images if images is None else images,
        annotations=source.annotations if annotations is None else annotations,
        index=source.index if index is None else index,
    )
    return dataclasses.replace(config, sources=(source,))
