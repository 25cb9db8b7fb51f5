"""Stage visualize: filters, their responses and Grad-CAM, as PNG and in TensorBoard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from gastric_keras.config.backbones import find_backbone
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.figures import plots as figures
from gastric_keras.figures.responses import most_changed
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.score_shapes import ClassScores, RunScores
from gastric_keras.runs.scores import (
    read_class_scores,
    read_scores,
    read_split,
    require_target,
)
from gastric_keras.runs.shapes import ListedPicture, read_pictures
from gastric_keras.support.files import write_json
from gastric_keras.training.start import load_stage
from gastric_keras.visualization.gradcam import decision_maps
from gastric_keras.visualization.projector import write_projector
from gastric_keras.visualization.responses import filter_responses, first_kernels
from gastric_keras.visualization.views import View, read_own_views, read_test_views


def run_visualize(
    config: ExperimentConfig,
    run_dir: RunDir,
    *,
    force: bool = False,
    images: Sequence[str] = (),
) -> None:
    """Stage visualize: filters and responses of every stage, Grad-CAM, and the ROC.

    Args:
        config: of the run.
        run_dir: with finished stages target and evaluate.
        force: do it again.
        images: your pictures; otherwise the first test patch of each class and
            the hardest errors of the test split.

    Raises:
        InputError: an earlier stage is not finished, or a picture cannot be read.
    """
    if run_dir.done("visualize").is_file() and not force and not images:
        print(f"visualize: finished, the pictures are in {run_dir.figures}")
        return
    require_target(run_dir)
    is_multiclass = config.target.is_multiclass
    read = read_class_scores if is_multiclass else read_scores
    scores: RunScores | ClassScores = read(run_dir)
    test = read_split(run_dir, "test", scores)
    if images:
        views = read_own_views(config, images)
    else:
        run_dir.reopen("visualize")
        views = read_test_views(config, test, threshold=_threshold(scores))
    run_dir.figures.mkdir(parents=True, exist_ok=True)
    by_stage = {stage: load_stage(config, run_dir, stage) for stage in config.ladder}
    models = {config.ladder[stage]: model for stage, model in by_stage.items()}
    pictures = [_plot_filters(config, run_dir, models)]
    pictures += _plot_responses(config, run_dir, models, views)
    pictures += _plot_decisions(config, run_dir, models["t=2"], views, scores)
    _keep_list(run_dir, pictures, is_added=bool(images))
    written = [run_dir.figures / picture.file for picture in pictures]
    written += _plot_roc(run_dir, config, test, scores)
    _write_events(run_dir.stage("visualize"), written)
    if not images:
        write_projector(config, run_dir, by_stage)
        write_json(run_dir.done("visualize"), {"figures": [p.name for p in written]})
    print(f"visualize: {len(written)} pictures in {run_dir.figures}")


def _plot_filters(
    config: ExperimentConfig, run_dir: RunDir, models: Mapping[str, keras.Model]
) -> ListedPicture:
    name = config.backbone.name
    kernels = {t: first_kernels(model, backbone=name) for t, model in models.items()}
    network = find_backbone(name).title
    title = f"{network}: kernels of the first convolution"
    figures.plot_filters(run_dir.figures / "filters.png", kernels=kernels, title=title)
    text = (
        f"The {kernels['t=2'].shape[-1]} kernels of the first convolution of "
        f"{network} as color pictures at {_spell(list(models))}, those that "
        f"changed most first. {_spell_change(list(kernels.values()), 'weight')}"
    )
    return ListedPicture("filters.png", "filters", text)


def _plot_responses(
    config: ExperimentConfig,
    run_dir: RunDir,
    models: Mapping[str, keras.Model],
    views: Sequence[View],
) -> Iterator[ListedPicture]:
    name = config.backbone.name
    kind = find_backbone(name)
    shown = [view for view in views if not view.is_error]
    patches = np.stack([view.pixels for view in shown])
    found = {t: filter_responses(m, patches, backbone=name) for t, m in models.items()}
    for index, view in enumerate(shown):
        file = f"responses_{view.name}.png"
        figures.plot_blocks(
            run_dir.figures / file,
            patch=view.pixels,
            responses={
                title: {block: maps[index] for block, maps in blocks.items()}
                for title, blocks in found.items()
            },
            title=f"{view.title}: {kind.title}, first convolution of each block",
        )
        yield ListedPicture(
            file,
            "responses",
            f"Responses of the first convolution of {_spell(found['t=2'])} to "
            f"{view.text} at {_spell(list(models))}; of each the four channels that "
            "changed most.",
        )
        for block in found["t=2"]:
            stages = {title: blocks[block][index] for title, blocks in found.items()}
            file = f"responses_{view.name}_{block}.png"
            figures.plot_responses(
                run_dir.figures / file,
                patch=view.pixels,
                responses=stages,
                title=f"{view.title}: {kind.title} {block}, first convolution",
            )
            channels = most_changed(list(stages.values()), 8)
            yield ListedPicture(
                file,
                "responses",
                f"Responses of the first convolution of {block} to {view.text} at "
                f"{_spell(list(models))}: channels {_spell(channels)}, which changed "
                f"most. {_spell_change(list(stages.values()), 'response')}",
            )


def _plot_decisions(
    config: ExperimentConfig,
    run_dir: RunDir,
    model: keras.Model,
    views: Sequence[View],
    scores: RunScores | ClassScores,
) -> Iterator[ListedPicture]:
    patches = np.stack([view.pixels for view in views])
    found = np.asarray(model(patches, training=False))
    threshold, classes = _threshold(scores), config.target.classes
    if threshold is None:
        called = shown = found.argmax(axis=1)
    else:
        positive = classes.index(config.target.scored_class)
        is_called = found[:, positive] >= threshold
        called = np.where(is_called, positive, 1 - positive)
        shown = np.full_like(called, positive)
    score = np.take_along_axis(found, shown[:, None], axis=1)[:, 0]
    maps = decision_maps(model, patches, called, backbone=config.backbone.name)
    for view, p, index, told, evidence in zip(
        views, score, called, shown, maps, strict=True
    ):
        call = classes[index]
        kind: Literal["error", "decision"] = "error" if view.is_error else "decision"
        file = f"gradcam_{view.name}.png"
        figures.plot_overlay(
            run_dir.figures / file,
            patch=view.pixels,
            evidence=evidence,
            title=f"{view.title}, called {call}",
        )
        yield ListedPicture(
            file,
            kind,
            f"{view.text[0].upper()}{view.text[1:]}{view.place}, called {call} with "
            f"p({classes[told]}) = {p:.3f}. {_spell_place(evidence, call)}",
        )


def _spell(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _spell_change(stages: Sequence[np.ndarray], what: str) -> str:
    before, after = stages[0].astype(np.float64), stages[-1]
    change = np.abs(after - before).mean() / (np.abs(before).mean() or 1)
    return f"From t=0 to t=2 a {what} changed on average by {change:.1%} of the mean."


def _spell_place(evidence: np.ndarray, call: str) -> str:
    if not evidence.max() > 0:
        return f"No place in it speaks for {call}."
    place = np.unravel_index(evidence.argmax(), evidence.shape)
    row, column = (
        int(3 * (i + 0.5) / n) for i, n in zip(place, evidence.shape, strict=True)
    )
    words = f"{('upper', 'middle', 'lower')[row]} {('left', 'center', 'right')[column]}"
    return f"Grad-CAM: most evidence for {call} in the {words}."


def _threshold(scores: RunScores | ClassScores) -> float | None:
    """Of two classes; None: the highest probability calls."""
    return scores.threshold if isinstance(scores, RunScores) else None


def _plot_roc(
    run_dir: RunDir,
    config: ExperimentConfig,
    test: Predictions,
    scores: RunScores | ClassScores,
) -> list[Path]:
    """The curve of the test split, or of each class, if its area is defined."""
    if isinstance(scores, RunScores):
        patch = {scores.positive: scores.test.patch.scores["auc"]}
    else:
        by_class = scores.test.patch.by_class
        patch = {name: found["auc"] for name, found in by_class.items()}
    curves = []
    for name, auc in patch.items():
        if auc.value is not None:
            title = config.name if len(patch) == 1 else name
            area = (auc.value, auc.low, auc.high)
            made = (title, *test.positives(name), area, _threshold(scores))
            curves.append(figures.Curve(*made))
    if not curves:
        return []
    path = run_dir.figures / "roc.png"
    figures.plot_roc(path, curves=curves, title="Test split, patches")
    return [path]


def _keep_list(
    run_dir: RunDir, pictures: Sequence[ListedPicture], *, is_added: bool
) -> None:
    """pictures.json; your pictures are added to those already there."""
    kept = {}
    if is_added and run_dir.pictures.is_file():
        kept = {each.file: each for each in read_pictures(run_dir.pictures)}
    kept |= {picture.file: picture for picture in pictures}
    write_json(run_dir.pictures, [asdict(each) for each in kept.values()])


def _write_events(folder: Path, pictures: Sequence[Path]) -> None:
    """The same pictures in TensorBoard."""
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=0):
        for path in pictures:
            image = tf.io.decode_png(path.read_bytes(), channels=3)
            tf.summary.image(path.stem, image[None])
    writer.close()
