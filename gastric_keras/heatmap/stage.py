"""Stage heatmap: slides, read whole by an exported model that is loaded once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gastric_keras.config.heatmap import HeatmapConfig
from gastric_keras.heatmap.finding import check_options
from gastric_keras.heatmap.whole_slide import map_slide
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.serving.exported_model import load_exported
from gastric_keras.support.errors import InputError, require


def run_heatmap(
    config: HeatmapConfig,
    *,
    slide: Sequence[Path],
    model: Path,
    out: Path | None = None,
    force: bool = False,
) -> None:
    """Read slides whole and write the map, overlay, outlines and table of each.

    Args:
        config: how.
        slide: whole slides, or any pictures that data_prep reads.
        model: the export folder of a run, or one version in it.
        out: folder to write, of several slides the one that holds a folder of each;
            None: ``heatmaps/<name of the slide>/`` of the run.
        force: do it again, though it stands.

    Raises:
        InputError: the model cannot be used, an option does not fit its classes, two
            slides have one name, or a slide cannot be read, its scale is missing or
            nothing of it is tissue; all others are finished.
    """
    names = [path.name for path in slide]
    twice = sorted({name for name in names if names.count(name) > 1})
    require(
        not twice,
        "Slides of one command must have names of their own",
        "Their folders are named after them: use one command for each.",
        slide=twice,
    )
    loaded = load_exported(model)
    check_options(config, loaded)
    run_dir = RunDir.of_export(loaded.folder)
    failed: dict[Path, InputError] = {}
    for path in slide:
        below = out if out is None or len(slide) == 1 else out / path.name
        folder = below or run_dir.heatmap(path.name)
        try:
            map_slide(config, path, loaded, folder, force=force)
        except InputError as error:
            if len(slide) == 1:
                raise
            failed[path] = error
            print(f"heatmap: {path} failed: {error}", flush=True)
    for path, reason in failed.items():
        raise InputError(
            f"Each of {len(slide)} slides must be read, got {len(failed)} that failed, "
            f"first {path}: {reason} Fix it and run the same command again; finished "
            "slides are kept."
        ) from reason
