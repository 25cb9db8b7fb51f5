"""How patches are judged and measured."""

from __future__ import annotations

from dataclasses import dataclass, fields

from gastric_keras.imaging.scale import LEAST_MPP, MOST_MPP, is_possible
from gastric_keras.support.errors import require


@dataclass(frozen=True)
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
        require(
            self.mpp is None or is_possible(self.mpp),
            f"mpp must be in [{LEAST_MPP}, {MOST_MPP}] µm/px",
            "Use null where it is not known.",
            mpp=self.mpp,
        )
        above = ("stain_unit", "min_stain_unit", "radius_um", "seed_distance_um")
        for name in (entry.name for entry in fields(self) if entry.name != "mpp"):
            value = getattr(self, name)
            require(
                name not in above or value > 0,
                f"{name} must be above 0",
                "Leave the key out to take the default.",
                **{name: value},
            )
            require(
                value >= 0,
                f"{name} must be 0 or more",
                "Use 0 to switch it off.",
                **{name: value},
            )


@dataclass(frozen=True)
class ArtifactConfig:
    """Which patches show glass, ink or blur instead of tissue in focus.

    The limits are ours, meant to miss rather than to waste: of 2,777 patches of EBHI,
    GlaS, MoNuSeg and Kather 2016 with tissue one is left out, of strong red stroma.

    Attributes:
        min_tissue: least part of a patch that is no bare glass, in [0, 1]; 0 switches
            the check off, as a set with a class of background needs.
        max_pen: most of a patch that has a color of felt pens, in [0, 1]; 1 switches
            the check off.
        min_sharpness: least ratio of the finest detail to the next coarser octave;
            Gaussian blur of 2 px or more falls below 0.2. 0 switches the check off.
    """

    min_tissue: float = 0.05
    max_pen: float = 0.02
    min_sharpness: float = 0.2

    def __post_init__(self) -> None:
        for name in ("min_tissue", "max_pen"):
            require(
                0 <= getattr(self, name) <= 1,
                f"{name} must be in [0, 1]",
                "Use min_tissue 0 and max_pen 1 to switch the checks off.",
                **{name: getattr(self, name)},
            )
        require(
            0 <= self.min_sharpness < 1,
            "min_sharpness must be in [0, 1)",
            "Use 0 to switch the check off.",
            min_sharpness=self.min_sharpness,
        )


@dataclass(frozen=True)
class ClusterConfig:
    """Which patches can be measured, and how the others are clustered.

    Attributes:
        min_nuclei: patches with fewer are left out.
        min_tissue: least part of the patch that is no bare glass, in [0, 1].
        min_contrast: least mean hematoxylin of the nuclei above that of the rest.
        max_unevenness: most deviation of the hematoxylin between nuclei, over its
            mean.
        keep_share: part of the patches with tissue to keep, in (0, 1]: the three
            limits above are then the loosest, and are tightened together until so
            many stay. null keeps to the limits. The paper keeps 0.29 of all.
        clusters: number of clusters; the paper's two.
        restarts: of k-means, from other starting centers.
        seed: of k-means.
    """

    min_nuclei: int = 5
    min_tissue: float = 0.25
    min_contrast: float = 0.08
    max_unevenness: float = 0.5
    keep_share: float | None = None
    clusters: int = 2
    restarts: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            self.clusters >= 2,
            "clusters must be 2 or more",
            "The paper has 2.",
            clusters=self.clusters,
        )
        require(
            self.restarts >= 1,
            "restarts of k-means must be 1 or more",
            "10 is usual.",
            restarts=self.restarts,
        )
        require(
            0 <= self.min_tissue <= 1,
            "min_tissue must be in [0, 1]",
            "Use 0 to keep every patch.",
            min_tissue=self.min_tissue,
        )
        require(
            self.keep_share is None or 0 < self.keep_share <= 1,
            "keep_share must be in (0, 1]",
            "Use null to keep to the fixed limits.",
            keep_share=self.keep_share,
        )
