"""Where the pictures of a set come from, and which of their patches stay."""

from __future__ import annotations

from dataclasses import dataclass, field

from data_prep.config.layouts import Layout, find_layout
from gastric_keras.records.manifest import SPLITS
from gastric_keras.support.errors import require

#: What outlines may be counted from.
ORIGINS = ("auto", "bounds", "slide")


@dataclass(frozen=True)
class ColumnsConfig:
    """Names of the columns of an index CSV.

    Attributes:
        path: the picture, relative to the source's ``images`` folder.
        case: the patient.
        label: the class of the whole picture; read for target sets, and for tissue
            sets with whole_patch_labels.
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
        require(
            0 <= self.min_value <= 255,
            "min_value must be in [0, 255]",
            "200 suits most stains.",
            min_value=self.min_value,
        )
        require(
            self.smoothing >= 1,
            "smoothing must be 1 px or more",
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
        layout: name of a public data set whose folders are read as its archive
            unpacks them (:data:`data_prep.layouts.LAYOUTS`), without an index. What
            it knows of case_pattern, mpp, mask_values and whole_patch_labels is
            filled in where nothing is given; what its folders mean yields to labels.
        whole_patch_labels: in a tissue set, each picture has one class, by its label
            column or its folder, and no region map.
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
        annotation_origin: point of a slide with OpenSlide bounds (MIRAX, Leica SCN,
            Ventana) that outlines are counted from: ``bounds``, as QuPath does,
            ``slide``, the corner of the whole slide, as ASAP, ImageScope and HALO do,
            or ``auto``, which takes bounds for GeoJSON of QuPath and slide for all
            else. A label mask is placed by its size.
        white: what white pixels become; null changes nothing.
        patch_size: side in px; 0 takes whole images; null takes the set's.
        stride: px between patches; null takes the set's.
        mpp: µm per px; 0.0 is not known; null takes the set's.
        map_frame: what region maps were drawn on where EXIF turns a picture:
            ``stored`` pixels, as QuPath and ImageJ show them, or ``upright`` ones;
            null sets such pictures aside.
    """

    images: str = ""
    name: str = ""
    annotations: str | None = None
    index: str | None = None
    layout: str | None = None
    whole_patch_labels: bool = False
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    case_pattern: str | None = None
    where: dict[str, tuple[str, ...]] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    mask_values: dict[int, str] = field(default_factory=dict)
    unannotated: str | None = None
    annotation_origin: str = "auto"
    white: WhiteConfig | None = None
    patch_size: int | None = None
    stride: int | None = None
    mpp: float | None = None
    map_frame: str | None = None

    def __post_init__(self) -> None:
        """Check the names, and take over what the layout knows."""
        require(
            self.annotation_origin in ORIGINS,
            f"annotation_origin must be one of {', '.join(ORIGINS)}",
            "auto goes by the tool that drew the outlines.",
            annotation_origin=self.annotation_origin,
        )
        for value, split in self.splits.items():
            require(
                split in SPLITS,
                f"A split must be one of {', '.join(SPLITS)}",
                "Fix the splits map.",
                **{value: split},
            )
        require(
            self.map_frame in (None, "stored", "upright"),
            "map_frame must be stored, upright or null",
            "QuPath and ImageJ draw on the stored pixels: map_frame: stored.",
            map_frame=self.map_frame,
        )
        if self.layout is not None:
            self._take_over(find_layout(self.layout))

    def _take_over(self, layout: Layout) -> None:
        require(
            self.index is None,
            "A source must have an index or a layout, not both",
            "Remove the layout: the index holds the same information.",
            index=self.index,
            layout=self.layout,
        )
        known = {
            "case_pattern": self.case_pattern or layout.case_pattern,
            "mpp": layout.mpp if self.mpp is None else self.mpp,
            "mask_values": self.mask_values or dict(layout.mask_values),
            "whole_patch_labels": layout.mask_folder is None,
        }
        for name, value in known.items():
            # Frozen for others; here, so that the resolved config tells what was used.
            object.__setattr__(self, name, value)


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
        require(
            min(shares) >= 0 and abs(sum(shares) - 1) < 1e-6,
            "The shares of the splits must add up to 1",
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
        require(
            0 <= self.min_coverage <= 1,
            "min_coverage must be in [0, 1]",
            "0.9 is the default.",
            min_coverage=self.min_coverage,
        )
        for name, purity in {
            "min_purity": self.min_purity,
            **self.class_purity,
        }.items():
            require(
                0.5 < purity <= 1,
                "A purity must be in (0.5, 1]",
                "At 0.5 or less the most common class is not a majority.",
                **{name: purity},
            )
