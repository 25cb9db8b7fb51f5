"""How much phantom is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from gastric_keras.support.errors import require


@dataclass(frozen=True)
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
            require(
                getattr(self, name) >= least,
                f"{name} must be at least {least}",
                "Give a larger number.",
                **{name: getattr(self, name)},
            )
        require(
            self.stain_variation >= 0,
            "stain_variation must be 0 or more",
            "0 is none, 1 is usual.",
            stain_variation=self.stain_variation,
        )
