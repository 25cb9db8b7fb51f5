"""What stage evaluate left is read whole, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from gastric_keras.comparison.compare import compare
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.evaluate import REPORT_VERSION, run_evaluate
from gastric_keras.runs.predictions import read_predictions, write_predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import check_config, checksums, read_scores, read_split
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json, write_json
from tests.helpers.fake_runs import make_run, write_report

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def run(tmp_path: Path) -> tuple[ExperimentConfig, RunDir]:
    return make_run(tmp_path, "one"), RunDir(tmp_path / "runs" / "one")


def seal(config: ExperimentConfig, run_dir: RunDir) -> None:
    """As stage evaluate ends."""
    settings = asdict(config.evaluate) | {"report_version": REPORT_VERSION}
    write_json(run_dir.done("evaluate"), settings | checksums(run_dir))


def test_every_byte_of_scores_and_predictions_is_vouched_for(
    run: tuple[ExperimentConfig, RunDir], capsys: pytest.CaptureFixture[str]
) -> None:
    config, run_dir = run
    seal(config, run_dir)
    run_evaluate(config, run_dir)
    assert "finished, the scores are in" in capsys.readouterr().out
    for path in (run_dir.predictions("test"), run_dir.report_json):
        sound = path.read_bytes()
        path.write_bytes(sound + b"\n")
        for read in (
            lambda: compare([run_dir.root], run_dir.root / "out"),
            lambda: write_report(config),
        ):
            with pytest.raises(InputError, match="which was changed since. Copy it"):
                read()
        path.write_bytes(sound)
    path = run_dir.predictions("validation")
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(InputError, match="validation.csv, which was changed since"):
        run_evaluate(config, run_dir)
    assert run_dir.done("evaluate").is_file()


def test_a_done_json_of_something_else_is_refused(
    run: tuple[ExperimentConfig, RunDir],
) -> None:
    for content in ([], {"sha256": [1]}):
        write_json(run[1].done("evaluate"), content)
        with pytest.raises(
            InputError, match="a JSON object|the settings of a finished stage"
        ):
            read_scores(run[1])


def _set(*keys: str, to: Any) -> Change:
    def change(tree: dict[str, Any]) -> None:
        for key in keys[:-1]:
            tree = tree[key]
        tree[keys[-1]] = to

    return change


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t.pop("threshold"), "missing field threshold"),
        (lambda t: t["test"].pop("patch"), "missing field test.patch"),
        (_set("test", "n", to="x"), "test.n must be an int"),
        (_set("backbone", to="resnet"), "backbone must be one of vgg16"),
        (_set("positive", to="other"), "the positive one among them"),
        (_set("threshold", to=float("nan")), r"threshold must be in \[0, 1\]"),
        (_set("temperature", to=0.0), "temperature above 0"),
        (_set("labels_per_class", to=-1.0), "labels_per_class must be above 0"),
        (_set("subgroups", to={"a": {}}), "missing field subgroups.a.validation"),
        (_set("test", "bootstrap", to=10**9), "draws must fit together"),
        (_set("test", "cases", to=9999), "draws must fit together"),
        (
            _set("test", "patch", "scores", "auc", "value", to=1.7),
            r"auc must be in .*, got Score\(value=1.7",
        ),
        (
            _set("test", "case", "scores", "auc", "low", to=None),
            r"auc must be in .* reason, got Score\(value=",
        ),
        (lambda t: t["test"]["patch"]["scores"].pop("ece"), "must have ece"),
        (
            _set("test", "patch", "at_half", "confusion", to=[[1, 2]]),
            r"2×2 counts, got \(\(1, 2\),\)",
        ),
        (
            _set("test", "patch", "at_half", "confusion", to=[[1, 2], [3, 4]]),
            "confusion must sum to 144, got 10",
        ),
    ],
)
def test_a_report_that_evaluate_does_not_write_is_refused(
    run: tuple[ExperimentConfig, RunDir], change: Change, message: str
) -> None:
    """Runs of earlier versions have no checksum: the tree itself is looked at."""
    _, run_dir = run
    scores = read_json(run_dir.report_json)
    assert json.loads(json.dumps(asdict(read_scores(run_dir)))) == scores
    change(scores)
    write_json(run_dir.report_json, scores)
    with pytest.raises(InputError, match=message) as caught:
        read_scores(run_dir)
    assert "must be as --stage evaluate writes it, got " in str(caught.value)
    assert "or run --stage evaluate --force" in str(caught.value)


def test_predictions_of_other_patches_than_the_scores_are_refused(
    run: tuple[ExperimentConfig, RunDir], tmp_path: Path
) -> None:
    _, run_dir = run
    scores = read_scores(run_dir)
    path = run_dir.predictions("test")
    sound = read_predictions(path)
    assert read_split(run_dir, "test", scores).label.tolist() == sound.label.tolist()
    make_run(tmp_path / "b", "one", cases=26)
    other = RunDir(tmp_path / "b" / "runs" / "one").predictions("test")
    path.write_bytes(other.read_bytes())
    with pytest.raises(InputError, match="of 144 patches, 72 of them malignant, of 24"):
        read_split(run_dir, "test", scores)
    # As many of each class, but each the other.
    turned = {**vars(sound), "label": 1 - sound.label}
    write_predictions(path, type(sound)(**turned))
    with pytest.raises(InputError, match="Predictions of test must have the AUC 0.8"):
        read_split(run_dir, "test", scores)


def test_scores_of_another_config_are_refused(
    run: tuple[ExperimentConfig, RunDir], tmp_path: Path
) -> None:
    config, run_dir = run
    scores = read_scores(run_dir)
    check_config(config, scores)
    text = run_dir.config.read_text()
    run_dir.config.write_text(text.replace("seed: 0", "seed: 3"))
    with pytest.raises(
        InputError, match=r"config says: seed 3, got report=\{'seed': 0"
    ):
        compare([run_dir.root], tmp_path / "out")
    two = make_run(tmp_path / "b", "one", mid="tissue")
    with pytest.raises(InputError, match="config says: mid .*tissue'"):
        check_config(two, scores)
    assert config_io.load(ExperimentConfig, run_dir.config) != config
