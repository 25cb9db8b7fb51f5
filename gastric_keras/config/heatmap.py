"""How a slide is read by a model: every choice of the stage heatmap."""

from __future__ import annotations

from dataclasses import dataclass

from gastric_keras.support.errors import require

_MEND = "Mend --set."


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
            model's threshold.
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
    tiles: bool = False
    batch_size: int = 64
    readers: int | None = None
    opacity: float = 0.5
    overlay_side: int = 2000

    def __post_init__(self) -> None:
        for name in ("side", "batch_size", "readers"):
            value = getattr(self, name)
            require(
                value is None or value >= 1,
                "1 or more was expected.",
                _MEND,
                **{name: value},
            )
        for name in ("model_mpp", "slide_mpp"):
            value = getattr(self, name)
            require(
                value is None or 0 < value <= 100,
                "µm per px, in (0, 100], was expected.",
                _MEND,
                **{name: value},
            )
        for name in ("min_tissue", "opacity"):
            value = getattr(self, name)
            require(
                0 <= value <= 1,
                "A share in [0, 1] was expected.",
                _MEND,
                **{name: value},
            )
        for name in ("stride", "level"):
            value = getattr(self, name)
            require(
                value is None or 0 < value <= 1,
                "A share in (0, 1] was expected.",
                _MEND,
                **{name: value},
            )
        require(
            200 <= self.overlay_side <= 2600,
            "200 to 2,600 px were expected.",
            _MEND,
            overlay_side=self.overlay_side,
        )
