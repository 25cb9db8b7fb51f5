"""Stage predict: an exported model, loaded once, over pictures and slides."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gastric_keras.config.predict import PredictConfig
from gastric_keras.heatmap.finding import check_options
from gastric_keras.heatmap.inference import Speed
from gastric_keras.heatmap.whole_slide import map_slide, stands
from gastric_keras.prediction.calls import Calls, ClassCalls, choose_calls
from gastric_keras.prediction.inputs import Input, find_inputs
from gastric_keras.prediction.pictures import parts_of, predict_parts, state_of
from gastric_keras.prediction.tables import (
    Found,
    Totals,
    tell_pixels,
    write_calls,
    write_patches,
    write_set_aside,
)
from gastric_keras.records.ledger import Ledger, ledger_lines
from gastric_keras.records.spelling import spelled
from gastric_keras.serving.exported_model import ExportedModel, load_exported
from gastric_keras.support import config_io, files
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.versions import read_commit, read_versions

#: Written last: a folder with this file is whole.
_SUMMARY = "summary.json"
#: Rises with what the files hold: a folder of an older one is made again.
_FORMAT = 1


def run_predict(
    config: PredictConfig,
    *,
    images: Sequence[Path | str],
    model: Path,
    out: Path,
    cases: Path | None = None,
    force: bool = False,
) -> None:
    """Predict pictures and slides, and call them, by case too.

    An interrupted run goes on where it was; with another rule the kept predictions are
    called again.

    Args:
        config: how.
        images: files and folders.
        model: the export folder of a run, or one version in it.
        out: folder to write.
        cases: index CSV that tells the case of each picture.
        force: do it again, predictions too.

    Raises:
        InputError: the model or the index cannot be used, an option does not fit the
            model's classes, or no picture can be read.
    """
    loaded = load_exported(model)
    check_options(config, loaded)
    calls = choose_calls(config, loaded)
    ledger = Ledger()
    inputs = find_inputs([Path(each) for each in images], cases, config, ledger)
    _check_options_of_slides(config, inputs)
    made_of = _made_of(config, inputs, loaded)
    with files.locked(
        out / ".lock",
        folder="folder of predictions",
        way_out="Wait for the other process, or name another folder with --out.",
    ):
        summary = out / _SUMMARY
        if not force and stands(summary, made_of):
            print(f"predict: finished, see {out}")
            return
        # From here on the folder holds no whole result, until the end.
        summary.unlink(missing_ok=True)
        if force:
            shutil.rmtree(out / "parts", ignore_errors=True)
        found, speed = _predict(config, inputs, loaded, calls, out, force=force)
        tell_pixels(found, loaded.metadata.get("patch_size") or None, ledger)
        write_set_aside(out / "set_aside.csv", found, ledger)
        _require_one(found)
        totals = write_calls(
            out,
            found,
            scored=loaded.scored_classes,
            names=_names(loaded),
            calls=calls,
        )
        told = {"made_of": made_of, "positive": loaded.positive}
        told |= _summarize(found, calls, totals, ledger, speed)
        files.write_json(summary, told)
        _tell(totals, ledger, calls, loaded, out)


def _check_options_of_slides(config: PredictConfig, inputs: Sequence[Input]) -> None:
    changed = config.changed_of_slides()
    require(
        not changed or any(each.is_slide for each in inputs),
        f"{', '.join(changed)} must apply to a slide",
        "Add --set pictures=slide to cut pictures into patches as slides are, or leave "
        "it out.",
        **changed,
        slides=0,
        pictures=len(inputs),
    )


def _made_of(
    config: PredictConfig, inputs: Sequence[Input], model: ExportedModel
) -> dict[str, Any]:
    """What decides the result, ready for JSON."""
    listed = [
        [each.image_id, each.case_id, each.is_slide, each.fault, *state_of(each.path)]
        for each in inputs
    ]
    text = json.dumps(listed).encode("utf-8", "surrogateescape")
    return {
        "format": _FORMAT,
        "inputs": hashlib.sha256(text).hexdigest(),
        "model": model.identity,
        "options": config_io.to_dict(config),
    }


def _predict(
    config: PredictConfig,
    inputs: Sequence[Input],
    model: ExportedModel,
    calls: Calls | ClassCalls,
    out: Path,
    *,
    force: bool,
) -> tuple[Found, Speed | None]:
    """Every picture and slide through the model, and the table of their patches."""
    found = Found(
        set_aside={each.image_id: each.fault for each in inputs if each.fault}
    )
    sound = [each for each in inputs if not each.fault]
    pictures = [each for each in sound if not each.is_slide]
    slides = [each for each in sound if each.is_slide]
    print(f"predict: {len(pictures)} pictures and {len(slides)} slides", flush=True)
    folder = out / "parts"
    parts = parts_of(pictures, model, folder, batch_size=config.batch_size)
    speed = predict_parts(parts, model, config)
    _tell_speed(speed)
    mapped: dict[Input, Path] = {}
    for number, each in enumerate(slides, start=1):
        print(f"predict: slide {number} of {len(slides)}, {each.image_id}", flush=True)
        place = out / "slides" / each.image_id
        try:
            map_slide(config.of_slides, each.path, model, place, force=force)
        except files.FolderInUse:
            raise
        except InputError as error:
            found.set_aside[each.image_id] = spelled(str(error))
        else:
            mapped[each] = place
    write_patches(
        out / "predictions.csv",
        parts,
        mapped,
        model=model,
        calls=calls,
        found=found,
    )
    # Parts of pictures that are gone or were changed.
    kept = {part.path for part in parts}
    for path in folder.glob("*.csv"):
        if path not in kept:
            path.unlink()
    return found, speed


def _summarize(
    found: Found,
    calls: Calls | ClassCalls,
    totals: Totals,
    ledger: Ledger,
    speed: Speed | None,
) -> dict[str, Any]:
    """What the summary says besides what it was made of."""
    return {
        "calls": dataclasses.asdict(calls),
        "totals": dataclasses.asdict(totals),
        "set_aside": len(found.set_aside),
        "ledger": ledger.tree(),
        "speed": None if speed is None else _speed(speed),
        "commit": read_commit(),
        "packages": read_versions(),
    }


def _require_one(found: Found) -> None:
    if found.read:
        return
    first, reason = next(iter(sorted(found.set_aside.items())))
    raise InputError(
        f"At least one picture or slide must be readable, got {len(found.set_aside)} "
        f"that are not, first {first}: {reason}"
    )


def _names(model: ExportedModel) -> tuple[str, ...]:
    """All classes, as the model labels them, of two the positive one first."""
    if model.positive is None:
        return model.scored_classes
    classes = model.metadata.get("classes")
    others = [name for name in classes or () if name != model.positive]
    negative = str(others[0]) if len(others) == 1 else f"not {model.positive}"
    return (model.positive, negative)


def _speed(speed: Speed) -> dict[str, float]:
    return dataclasses.asdict(speed) | {"share_of_bare": speed.share_of_bare}


def _tell_speed(speed: Speed | None) -> None:
    if speed is not None:
        print(
            f"predict: {speed.patches_per_second:.0f} pictures/s, "
            f"{speed.share_of_bare:.2f} of the model's bare inference "
            f"({speed.bare_patches_per_second:.0f} patches/s)",
            flush=True,
        )


def _tell(
    totals: Totals,
    ledger: Ledger,
    calls: Calls | ClassCalls,
    model: ExportedModel,
    out: Path,
) -> None:
    for line in ledger_lines({"ledger": ledger.tree() | {"warnings": []}}):
        print(f"predict: {line}")
    called = totals.cases_called
    if isinstance(called, dict):
        by_class = ", ".join(f"{name} {number}" for name, number in called.items())
        cases = f"cases called {by_class}"
    else:
        cases = f"{called} cases called {model.positive}"
    print(
        f"predict: {totals.patches} patches of {totals.pictures} pictures and slides "
        f"of {totals.cases} cases; {cases}, {calls.words}; all in {out}"
    )
