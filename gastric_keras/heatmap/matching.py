"""A slide beside the training patches of a model: its scale and its stain."""

from __future__ import annotations

from gastric_keras.config.heatmap import HeatmapConfig
from gastric_keras.imaging.normalization import StainFit, fit_picture
from gastric_keras.imaging.scale import is_usual
from gastric_keras.imaging.slides import Picture
from gastric_keras.records.treatment import MOST_RATIO
from gastric_keras.serving.exported_model import ExportedModel
from gastric_keras.support.errors import require
from gastric_keras.support.streams import warn


def patch_side(
    config: HeatmapConfig, model: ExportedModel, picture: Picture
) -> tuple[int, float]:
    """Side of a patch in px of the slide, and the slide's µm/px (0: not known).

    Args:
        config: may give the side, and scales in place of those of model and slide.
        model: knows how much tissue its training patches showed.
        picture: the slide.

    Raises:
        InputError: no side is given, and the scale of model or slide is not known.
    """
    slide_mpp = config.slide_mpp or picture.mpp
    model_mpp = config.model_mpp or model.mpp
    _warn_of_scale(slide_mpp, picture)
    if config.side is not None:
        _warn_of_width(config.side * slide_mpp, model.patch_size * model_mpp)
        return config.side, slide_mpp
    require(
        bool(model_mpp and slide_mpp),
        "The scales of the model's patches and of the slide must be known, µm/px",
        "Set what is 0 with --set model_mpp=0.5 --set slide_mpp=0.25, or the side of "
        f"a patch on the slide in px, --set side={model.patch_size}.",
        model_mpp=model_mpp,
        slide_mpp=slide_mpp,
    )
    return max(1, round(model.patch_size * model_mpp / slide_mpp)), slide_mpp


def _warn_of_scale(slide_mpp: float, picture: Picture) -> None:
    if not slide_mpp and picture.impossible_mpp:
        warn(
            f"the slide gives {picture.impossible_mpp:.4g} µm/px, a scale that no "
            "microscope has: its scale counts as not known. Set slide_mpp."
        )
    if slide_mpp and not is_usual(slide_mpp):
        warn(
            f"the slide has {slide_mpp:.4g} µm/px, beyond what pathology scanners give "
            "(0.25 at ×40, 0.5 at ×20). Compare slide_mpp with the scanner; a factor "
            "of ten is easily lost."
        )


def _warn_of_width(here: float, trained: float) -> None:
    if here and trained and max(here, trained) > MOST_RATIO * min(here, trained):
        warn(
            f"a patch of the slide shows {here:.4g} µm of tissue and one of the "
            f"training patches {trained:.4g} µm. Leave out side to show as much."
        )


def tell_assumed(picture: Picture, name: str) -> None:
    """Warn of what was assumed of a slide's pixels.

    Args:
        picture: the slide.
        name: of its file.
    """
    for note in picture.notes:
        warn(f"{name}: {note}.")
    if picture.orientation != 1:
        warn(
            f"{name}: heatmap.geojson lies on the upright picture; QuPath and ImageJ "
            f"show it as stored, EXIF orientation {picture.orientation}."
        )


def stain_method(model: ExportedModel) -> str | None:
    """How the stain of a model's training patches was normalized.

    Args:
        model: knows it, or does not; a warning then says so.

    Returns:
        ``reinhard`` or ``macenko``; None: pictures are read as they are.
    """
    metadata = model.metadata
    if "records" in metadata and "normalization" not in metadata:
        warn(
            "the model was exported by an earlier version, which did not record "
            "whether its training patches were normalized: pictures are read as they "
            "are. Export the model again with --force."
        )
    return model.normalization


def fit_stain_of(picture: Picture, model: ExportedModel) -> StainFit | None:
    """The map of a slide's stain to that of the training patches.

    Args:
        picture: the slide.
        model: knows how its training patches were normalized.

    Returns:
        None: the slide is read as it is, and a warning says so where that is not
        what the model was trained on.
    """
    method = stain_method(model)
    if method is None:
        return None
    fit = fit_picture(picture, method)
    if fit is None:
        warn(
            f"the model was trained on patches normalized by {method}, but the stain "
            "of this slide cannot be told: it is read as it is."
        )
    else:
        print(f"heatmap: stain normalized by {method}, as in training", flush=True)
    return fit
