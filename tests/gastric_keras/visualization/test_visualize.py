"""Stage visualize, where there is nothing to show."""

from __future__ import annotations

from pathlib import Path

from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import read_scores, read_split
from gastric_keras.visualization import visualize
from tests.helpers.fake_runs import make_run


def test_a_curve_without_an_area_is_left_out(tmp_path: Path) -> None:
    """A test split of one class: no AUC, and no picture of it."""
    for name, cases in (("both", 2), ("one_class", 1)):
        config = make_run(tmp_path, name, cases=cases)
        run_dir = RunDir(tmp_path / "runs" / name)
        scores = read_scores(run_dir)
        test = read_split(run_dir, "test", scores)
        found = visualize._plot_roc(run_dir, config, test, scores)
        assert [path.name for path in found] == ["roc.png"][: cases - 1]
