"""What data_prep can be told: frozen dataclasses, their meaning checked at the door."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from gastric_keras import config_io
from gastric_keras.errors import InputError
from gastric_keras.records import SPLITS

Schema = TypeVar("Schema")


@dataclasses.dataclass(frozen=True)
class NucleiConfig:
    """How nuclei are found; lengths in µm, so that one setting fits every scan.

    The paper gives the stain matrix and the constants of the threshold only. All of
    these are ours, chosen on 18 images of 7 organs (docs/NUCLEI.md).

    Attributes:
        mpp: µm per px of the image; null where it is not known, and then the image
            counts as a ×40 scan of 0.25 µm/px and no area is given in µm².
        stain_unit: amount of hematoxylin that leaves a tenth of the light, over the
            mean of the image's darker class: pale and dark slides become alike.
        min_stain_unit: least such amount, so that noise on bare glass stays noise.
        smoothing_um: deviation of the Gaussian that evens out the chromatin.
        radius_um: half-side of the window of the threshold.
        max_hole_um2: holes up to this size are filled (pale, vesicular nuclei).
        opening_um: radius of the disk that cuts bridges and removes specks.
        seed_smoothing_um: deviation of the Gaussian that joins the seeds of one
            uneven nucleus.
        seed_distance_um: least distance between the centers of two nuclei, the larger
            of the distances along x and y.
        min_area_um2: anything smaller is no nucleus.
        min_evidence_um2: least sum, over the area of a nucleus, of how far it is
            darker than the threshold: small and faint things are no nuclei.
    """

    mpp: float | None = None
    stain_unit: float = 2.3
    min_stain_unit: float = 0.3
    smoothing_um: float = 0.35
    radius_um: float = 16.0
    max_hole_um2: float = 15.0
    opening_um: float = 1.2
    seed_smoothing_um: float = 0.9
    seed_distance_um: float = 2.0
    min_area_um2: float = 5.0
    min_evidence_um2: float = 0.8

    def __post_init__(self) -> None:
        if self.mpp is not None and not self.mpp > 0:
            raise InputError(
                f"A scale above 0 µm/px was expected. Received: mpp={self.mpp}. "
                "Give null where it is not known."
            )
        above = ("stain_unit", "min_stain_unit", "radius_um", "seed_distance_um")
        for entry in dataclasses.fields(self):
            value = getattr(self, entry.name)
            if entry.name in above and not value > 0:
                raise InputError(
                    "A number above 0 was expected. "
                    f"Received: {entry.name}={value}. Mend the value."
                )
            if entry.name != "mpp" and not value >= 0:
                raise InputError(
                    "A size of at least 0 was expected. "
                    f"Received: {entry.name}={value}. Give 0 to switch it off."
                )


@dataclasses.dataclass(frozen=True)
class ClusterConfig:
    """Which patches can be measured, and how the others are clustered.

    Attributes:
        min_nuclei: patches with fewer are left out.
        min_tissue: least part of the patch that is no bare glass, in [0, 1].
        min_contrast: least mean hematoxylin of the nuclei above that of the rest.
        max_unevenness: most deviation of the hematoxylin between nuclei, over its
            mean.
        clusters: number of clusters; the paper's two.
        restarts: of k-means, from other starting centers.
        seed: of k-means.
    """

    min_nuclei: int = 5
    min_tissue: float = 0.25
    min_contrast: float = 0.08
    max_unevenness: float = 0.5
    clusters: int = 2
    restarts: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.clusters < 2:
            raise InputError(
                "At least 2 clusters were expected. "
                f"Received: clusters={self.clusters}. The paper has 2."
            )
        if self.restarts < 1:
            raise InputError(
                "At least 1 start of k-means was expected. "
                f"Received: restarts={self.restarts}. 10 is usual."
            )
        if not 0 <= self.min_tissue <= 1:
            raise InputError(
                "A part between 0 and 1 was expected. "
                f"Received: min_tissue={self.min_tissue}. 0 keeps every patch."
            )


@dataclasses.dataclass(frozen=True)
class PhantomConfig:
    """How much synthetic H&E is drawn.

    Attributes:
        regions: number of region images.
        region_cases: cases that these come from.
        region_size: side of a region image in px.
        target_images: number of target images, benign and malignant together.
        target_cases: cases that these come from, each of one class.
        target_size: side of a target image in px.
        stain_variation: 0 gives every case the same stain; 1 what labs differ by.
        seed: another seed, other pictures.
    """

    regions: int = 24
    region_cases: int = 8
    region_size: int = 384
    target_images: int = 240
    target_cases: int = 40
    target_size: int = 112
    stain_variation: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (
            ("regions", 1),
            ("region_cases", 1),
            ("region_size", 128),
            ("target_images", 6),
            ("target_cases", 6),
            ("target_size", 64),
        ):
            if getattr(self, name) < least:
                raise InputError(
                    f"At least {least} was expected. "
                    f"Received: {name}={getattr(self, name)}. Give a larger number."
                )
        if not self.stain_variation >= 0:
            raise InputError(
                "A variation of at least 0 was expected. Received: "
                f"stain_variation={self.stain_variation}. 0 is none, 1 is usual."
            )


def _require(condition: bool, wanted: str, way_out: str, **received: object) -> None:
    if not condition:
        values = ", ".join(f"{name}={value!r}" for name, value in received.items())
        raise InputError(f"{wanted} Received: {values}. {way_out}")


@dataclass(frozen=True)
class ColumnsConfig:
    """Names of the columns of an index CSV.

    Attributes:
        path: the picture, relative to the source's ``images`` folder.
        case: the patient.
        label: the class of the whole picture; read for target sets only.
        annotation: the region map, relative to ``annotations``; null looks for a
            file of the picture's name there.
        split: train, validation or test; null lets the cases be drawn.
    """

    path: str = "path"
    case: str = "case_id"
    label: str = "label"
    annotation: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class WhiteConfig:
    """White pixels of some classes belong to another class.

    Attributes:
        classes: class names whose white pixels change.
        becomes: the class that they change to.
        min_value: a pixel is white when the darkest of R, G, B reaches this, in
            [0, 255], after smoothing.
        smoothing: side in px of the mean filter, so that single pale pixels of a
            tissue stay tissue; 1 filters nothing.
    """

    classes: tuple[str, ...]
    becomes: str
    min_value: int = 200
    smoothing: int = 5

    def __post_init__(self) -> None:
        """Check the ranges."""
        _require(
            0 <= self.min_value <= 255,
            "min_value in [0, 255] was expected.",
            "200 suits most stains.",
            min_value=self.min_value,
        )
        _require(
            self.smoothing >= 1,
            "A smoothing side of 1 px or more was expected.",
            "1 filters nothing.",
            smoothing=self.smoothing,
        )


@dataclass(frozen=True)
class SourceConfig:
    """One collection of pictures of one scale.

    Attributes:
        images: folder that holds the pictures.
        name: put before every image and case id, so that two collections never
            share one by chance; use the same name in every set that draws on the
            collection, or leaks between them stay unseen.
        annotations: folder that holds the region maps.
        index: CSV with a row for each picture; null walks the ``images`` folder.
        columns: the columns of ``index``.
        case_pattern: without an index, a regular expression whose first group is
            the case, searched in the path below ``images``.
        where: column -> values; rows of other values are left out.
        splits: value of the split column -> train, validation or test.
        labels: class name in the data -> class of the set, or ``ignore``; adds to
            the set's own ``labels``.
        mask_values: pixel value of a label-mask PNG -> class of the set, or
            ``ignore``.
        unannotated: class of the pixels that no annotation covers; null leaves
            them out.
        white: what white pixels become; null changes nothing.
        patch_size: side in px; 0 takes whole images; null takes the set's.
        stride: px between patches; null takes the set's.
        mpp: µm per px; 0.0 is not known; null takes the set's.
    """

    images: str = ""
    name: str = ""
    annotations: str | None = None
    index: str | None = None
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    case_pattern: str | None = None
    where: dict[str, tuple[str, ...]] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    mask_values: dict[int, str] = field(default_factory=dict)
    unannotated: str | None = None
    white: WhiteConfig | None = None
    patch_size: int | None = None
    stride: int | None = None
    mpp: float | None = None

    def __post_init__(self) -> None:
        """Check the split names."""
        for value, split in self.splits.items():
            _require(
                split in SPLITS,
                f"A split among {', '.join(SPLITS)} was expected.",
                "Mend the splits map.",
                **{value: split},
            )


@dataclass(frozen=True)
class SplitConfig:
    """Share of the patches that each split should get, whole cases allowing.

    Attributes:
        train: share in [0, 1].
        validation: share in [0, 1].
        test: share in [0, 1]; the three add up to 1.
        seed: another seed, another draw of the cases.
    """

    train: float = 0.9
    validation: float = 0.1
    test: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check that the shares are shares."""
        shares = (self.train, self.validation, self.test)
        _require(
            min(shares) >= 0 and abs(sum(shares) - 1) < 1e-6,
            "Shares that add up to 1 were expected.",
            "Example: train 0.9, validation 0.1, test 0.",
            train=self.train,
            validation=self.validation,
            test=self.test,
        )


@dataclass(frozen=True)
class PatchRules:
    """Which patches of a region map are clear enough to be labelled.

    Attributes:
        min_coverage: least share of the patch that is annotated, in [0, 1].
        min_purity: least share of its annotated pixels that the commonest class
            holds, in (0.5, 1].
        class_purity: class name -> its own min_purity.
    """

    min_coverage: float = 0.9
    min_purity: float = 0.9
    class_purity: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the ranges."""
        _require(
            0 <= self.min_coverage <= 1,
            "min_coverage in [0, 1] was expected.",
            "0.9 is the default.",
            min_coverage=self.min_coverage,
        )
        for name, purity in {
            "min_purity": self.min_purity,
            **self.class_purity,
        }.items():
            _require(
                0.5 < purity <= 1,
                "A purity in (0.5, 1] was expected.",
                "At half or less the commonest class is no majority.",
                **{name: purity},
            )


@dataclass(frozen=True)
class SetConfig:
    """What the three kinds of set have in common.

    Attributes:
        sources: the collections; the command line may name the one instead.
        classes: class names, in label order.
        labels: class name in the data -> class of the set, or ``ignore``.
        patch_size: side of the patches in px; 0 takes whole images.
        stride: px between patches; null sets them edge to edge.
        mpp: µm per px; 0.0 is not known.
        stored_size: side in px that every patch is resized to; null stores it as
            it was cut.
        splits: shares of the splits.
        max_per_class: split -> most patches of a class; the first by nested rank.
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
    splits: SplitConfig = field(default_factory=SplitConfig)
    max_per_class: dict[str, int] = field(default_factory=dict)
    subsets: dict[str, int] = field(default_factory=dict)
    records_per_shard: int = 1000
    max_pixels: int = 200_000_000

    def __post_init__(self) -> None:
        """Check classes, sizes and limits."""
        _require(
            len(set(self.classes)) == len(self.classes) >= 2,
            "Two or more different classes were expected.",
            "Mend the classes list.",
            classes=self.classes,
        )
        self._check_sizes()
        for split in self.max_per_class:
            _require(
                split in SPLITS,
                f"max_per_class by {', '.join(SPLITS)} was expected.",
                "Example: max_per_class: {train: 15000}",
                split=split,
            )
        limits = {**self.max_per_class, **self.subsets}
        limits["records_per_shard"] = self.records_per_shard
        for name, limit in limits.items():
            _require(
                limit >= 1,
                "A number of 1 or more was expected.",
                "Mend it.",
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
            _require(
                size >= 0 and (stride is None or stride >= 1) and mpp >= 0,
                "patch_size of 0 or more, a stride of 1 or more and mpp of 0 or more "
                "were expected.",
                "patch_size 0 takes whole images; mpp 0 is not known.",
                where=where,
                patch_size=size,
                stride=stride,
                mpp=mpp,
            )
        _require(
            self.stored_size is None or self.stored_size >= 1,
            "stored_size of 1 px or more was expected.",
            "null stores patches as they were cut.",
            stored_size=self.stored_size,
        )


@dataclass(frozen=True)
class TissueSetConfig(SetConfig):
    """The mid-level tissue set: patches cut from region maps.

    Attributes:
        rules: which patches are clear enough.
    """

    classes: tuple[str, ...] = ("background", "epithelium", "stroma")
    rules: PatchRules = field(default_factory=PatchRules)


@dataclass(frozen=True)
class TargetSetConfig(SetConfig):
    """The target set: pictures that an expert labelled, whole or in a grid."""

    classes: tuple[str, ...] = ("benign", "malignant")
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
        level_sources: bring counts and areas of every source to the mean and
            deviation of all; else the clusters of two labs are the labs.
    """

    classes: tuple[str, ...] = ("cluster_0", "cluster_1")
    nuclei: NucleiConfig = field(default_factory=NucleiConfig)
    clusters: ClusterConfig = field(default_factory=ClusterConfig)
    level_sources: bool = True

    def __post_init__(self) -> None:
        """Check that every cluster has its class."""
        super().__post_init__()
        _require(
            len(self.classes) == self.clusters.clusters,
            "One class for each cluster was expected.",
            "Mend classes or clusters.clusters.",
            classes=self.classes,
            clusters=self.clusters.clusters,
        )


#: The schema of each command that builds a set.
SET_CONFIGS: dict[str, type[SetConfig]] = {
    "tissue": TissueSetConfig,
    "nuclei": NucleiSetConfig,
    "target": TargetSetConfig,
}


def load_config(
    schema: type[Schema], path: Path | str | None, overrides: Sequence[str] = ()
) -> Schema:
    """Read a config file, or the defaults where none is given.

    Args:
        schema: one of the dataclasses here.
        path: YAML file; None starts from the defaults.
        overrides: ``dotted.key=value``.
    """
    # The null device is an empty YAML file: overrides work the same without a file.
    return config_io.load(schema, os.devnull if path is None else path, overrides)


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
    _require(
        len(config.sources) <= 1,
        "A config with at most one source was expected beside --images, "
        "--annotations and --cases.",
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
