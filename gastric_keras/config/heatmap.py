"""How a slide is read by a model: every choice of the stage heatmap."""

from __future__ import annotations

from dataclasses import dataclass

from gastric_keras.support.errors import check_ranges


@dataclass(frozen=True)
class HeatmapConfig:
    """What may be changed with ``--set``; the defaults need no config file.

    A patch of the slide covers what a patch covered in training: its side there in px
    times ``model_mpp`` is its side in µm, and ``slide_mpp`` makes px of it again.
    ``side`` says it at once, and then no scale is needed.

    Attributes:
        side: of a patch, px of the slide at full resolution; None: from the scales.
        model_mpp: µm/px of the patches that the model was trained on; None: what its
            metadata say.
        slide_mpp: µm/px of the slide at full resolution; None: what its file says.
        stride: from patch to patch, in sides, in (0, 1]; below 1 they overlap, and the
            map is the mean of those that cover a place.
        min_tissue: least share of tissue in a patch, in [0, 1]; 0 reads the glass too.
        level: probability from which a place belongs to a region, in (0, 1]; None: the
            model's threshold, and of more than two classes, which have none, must be
            null.
        map_class: of more than two classes the one whose probability overlay.png
            shows; None: the class that each place is called.
        tiles: whether the GeoJSON holds each patch as a tile too.
        batch_size: patches at once.
        readers: threads that read the slide; None: one a core.
        opacity: of the map over the slide, in [0, 1].
        overlay_side: longer side of the picture of the slide in overlay.png, px.
    """

    side: int | None = None
    model_mpp: float | None = None
    slide_mpp: float | None = None
    stride: float = 1.0
    min_tissue: float = 0.25
    level: float | None = None
    map_class: str | None = None
    tiles: bool = False
    batch_size: int = 64
    readers: int | None = None
    opacity: float = 0.5
    overlay_side: int = 2000

    def __post_init__(self) -> None:
        at_least_1, share = ("[1, inf)", "1 is the least."), (
            "[0, 1]",
            "It is a share.",
        )
        scale = ("(0, 100]", "It is in µm/px: 0.25 at ×40, 0.5 at ×20.")
        check_ranges(
            self,
            **dict.fromkeys(("side", "batch_size", "readers"), at_least_1),
            **dict.fromkeys(("model_mpp", "slide_mpp"), scale),
            **dict.fromkeys(("min_tissue", "opacity"), share),
            stride=(
                "(0, 1]",
                "1 sets patches edge to edge; 0.5 overlaps them by half.",
            ),
            level=("(0, 1]", "It is a probability; null takes the model's threshold."),
            overlay_side=("[200, 2600]", "2000 px is usual."),
        )
