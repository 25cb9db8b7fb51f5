"""Models of the ladder: the start of a stage, and the result of a finished one."""

from __future__ import annotations

from pathlib import Path

import keras

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.config.fit import FitConfig
from gastric_keras.data.stage_data import contrast_of
from gastric_keras.models.classifier import build_classifier
from gastric_keras.models.heads import SECOND_HEAD, add_head, replace_head
from gastric_keras.models.transfer import (
    TransferReport,
    pretrained_report,
    warm_start,
)
from gastric_keras.models.weights import load_file
from gastric_keras.runs.run_dir import FitStage, RunDir
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_object, sha256_of
from gastric_keras.training.runtime import set_up


def load_stage(config: ExperimentConfig, run_dir: RunDir, stage: str) -> keras.Model:
    """The model of a stage, with the weights that the stage kept.

    Args:
        config: of the run.
        run_dir: of the run.
        stage: ``initial`` (t=0, random head), ``mid`` (t=1) or ``target`` (t=2).

    Raises:
        InputError: the weights are missing, changed since, or of another network.
    """
    classes = _classes(config, stage)
    # The same precision in every process: what is served equals what was evaluated.
    set_up(config.runtime, config.seed)
    if stage == "initial":
        return _build(config, classes, stage=stage, weights=config.backbone.weights)
    model = _build(config, classes, stage=stage, weights="none")
    path = stage_weights(config, run_dir, stage)
    check_weights(path)
    load_file(
        model,
        path,
        wanted=f"a weights file of a finished stage {stage} of {config.backbone.name} "
        f"with {len(classes)} classes",
        way_out="Run that stage again with --force, or fix the path.",
    )
    return model


def build_start(
    config: ExperimentConfig, run_dir: RunDir, stage: FitStage
) -> tuple[keras.Model, TransferReport]:
    """The model that a stage starts from, and where each of its weights came from.

    Args:
        config: of the run.
        run_dir: of the run; for t=2 after a t=1, with that finished.
        stage: mid or target.

    Raises:
        InputError: weights are missing or do not fit.
    """
    if stage == "mid" or not config.has_mid_stage:
        weights = config.backbone.weights
        section = config.target if stage == "target" else config.mid
        assert section is not None, "a run without t=1 has no stage mid"
        model = _build(
            config,
            _classes(config, stage),
            stage=stage,
            weights=weights,
            fit_config=section.fit,
        )
        return model, pretrained_report(model, weights=weights)
    assert config.mid is not None
    old = load_stage(config, run_dir, "mid")
    # The same seed as in a one-stage run: the two differ in the backbone alone.
    keras.utils.set_random_seed(config.seed)
    blend = config.mid.blend
    new = _build(
        config,
        config.target.classes,
        stage="target",
        weights="none" if blend == 1 else config.backbone.weights,
        fit_config=config.target.fit,
    )
    source = str(stage_weights(config, run_dir, "mid"))
    if blend != 1:
        source += f" ({blend:g}) and {config.backbone.weights} ({1 - blend:g})"
    return new, warm_start(old, new, source=source, blend=blend)


def _classes(config: ExperimentConfig, stage: str) -> tuple[str, ...]:
    section = config.mid if stage == "mid" else config.target
    assert section is not None, "a run with one stage has no model of stage mid"
    return section.classes


def stage_weights(config: ExperimentConfig, run_dir: RunDir, stage: str) -> Path:
    """Where the weights of a stage lie: in this run, or where ``mid.init`` says."""
    if stage == "mid" and config.mid is not None and config.mid.init:
        return Path(config.mid.init)
    return run_dir.weights("mid" if stage == "mid" else "target")


def check_weights(path: Path) -> None:
    """Check the weights of a finished stage against its done.json.

    HDF5 has no checksum: a flipped bit would change the network unnoticed.

    Args:
        path: of the weights.

    Raises:
        InputError: they were changed since.
    """
    made, stage = RunDir.of_weights(path)
    done = made.done(stage)
    wanted = read_object(done).get("weights_sha256") if done.is_file() else None
    # A run of an earlier version, or weights from elsewhere, come without one.
    if wanted is not None and path.is_file() and sha256_of(path) != wanted:
        raise InputError(
            f"The weights must have the sha256 {wanted} that their stage wrote, got "
            f"{path}, which was changed since. Copy it again from an intact copy, or "
            "run that stage again with --force."
        )


def _build(
    config: ExperimentConfig,
    classes: tuple[str, ...],
    *,
    stage: str,
    weights: str,
    fit_config: FitConfig | None = None,
) -> keras.Model:
    backbone = config.backbone
    model = build_classifier(
        backbone.name,
        len(classes),
        image_size=backbone.image_size,
        weights=weights,
        dropout=backbone.dropout,
        train_batch_norm=backbone.batch_norm == "train",
        trainable_from=fit_config.trainable_from if fit_config else None,
    )
    mid = config.mid
    if stage != "mid" or mid is None:
        return model
    contrast = contrast_of(mid)
    if contrast is not None:
        return replace_head(model, contrast.dimensions, answer="projection")
    if mid.task == "measures":
        model = replace_head(model, len(classes), answer="numbers")
    second = mid.second
    if second is None:
        return model
    return add_head(
        model,
        len(second.classes),
        name=SECOND_HEAD,
        answer="numbers" if second.task == "measures" else "classes",
    )
