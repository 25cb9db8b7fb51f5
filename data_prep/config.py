"""What data_prep can be told: frozen dataclasses, their meaning checked at the door."""

from __future__ import annotations

import dataclasses

from gastric_keras.errors import InputError


@dataclasses.dataclass(frozen=True)
class NucleiConfig:
    """How nuclei are found; lengths in µm, so that one setting fits every scan.

    Attributes:
        mpp: µm per px of the image; null where it is not known, and then the image
            counts as a ×40 scan of 0.25 µm/px and no area is given in µm².
        smoothing_um: deviation of the Gaussian that evens out the chromatin.
        radius_um: half-side of the window of the threshold.
        opening_um: radius of the disk that cuts bridges and removes specks.
        seed_distance_um: least distance between the centers of two nuclei.
        min_area_um2: anything smaller is no nucleus.
        max_hole_um2: holes up to this size are filled (pale, vesicular nuclei).
    """

    mpp: float | None = None
    smoothing_um: float = 0.5
    radius_um: float = 12.0
    opening_um: float = 0.75
    seed_distance_um: float = 2.0
    min_area_um2: float = 6.0
    max_hole_um2: float = 10.0

    def __post_init__(self) -> None:
        if self.mpp is not None and not self.mpp > 0:
            raise InputError(
                f"A scale above 0 µm/px was expected. Received: mpp={self.mpp}. "
                "Give null where it is not known."
            )
        for name in ("radius_um", "seed_distance_um"):
            if not getattr(self, name) > 0:
                raise InputError(
                    "A length above 0 µm was expected. "
                    f"Received: {name}={getattr(self, name)}. Mend the value."
                )
        for name in ("smoothing_um", "opening_um", "min_area_um2", "max_hole_um2"):
            if not getattr(self, name) >= 0:
                raise InputError(
                    "A size of at least 0 was expected. "
                    f"Received: {name}={getattr(self, name)}. Give 0 to switch it off."
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
