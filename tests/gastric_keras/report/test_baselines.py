"""The baselines of a run on its page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gastric_keras.report.baselines import baseline_table
from gastric_keras.runs.predictions import read_predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import read_scores
from gastric_keras.statistics.draws import Draws
from tests.helpers.fake_runs import add_baseline, make_run, write_report
from tests.helpers.paired_tests import paired_cluster_bootstrap

pytestmark = pytest.mark.usefixtures("blank_figures")


def test_the_page_holds_the_network_against_each(tmp_path: Path) -> None:
    config = make_run(tmp_path, "one", subset="small")
    run_dir = RunDir(tmp_path / "runs" / "one")
    assert 'id="baselines"' not in write_report(config).read_text()
    add_baseline(config, "color_logistic", "Color <alone>", signal=0.1)
    add_baseline(config, "uni", "UNI + linear probe", source="uni.npz, sha256 01")
    others = replace(config, target=replace(config.target, subset=None))
    add_baseline(others, "old", "Of all labels")
    text = write_report(config).read_text()
    assert 'href="#baselines"' in text and "Color &lt;alone&gt;" in text
    assert "C 0.1; validation AUC 0.900; uni.npz, sha256 01" in text
    assert "other test patches: Of all labels." in text

    scores = read_scores(run_dir)
    test = read_predictions(run_dir.predictions("test"))
    table = baseline_table(run_dir, config, scores, test)
    assert table is not None and table.left_out == ("Of all labels",)
    assert [row.title for row in table.rows] == [
        "AlexNet",
        "Color <alone>",
        "UNI + linear probe",
    ]
    color = read_predictions(run_dir.baseline("color_logistic").predictions("test"))
    expected = paired_cluster_bootstrap(
        test.label,
        color.probability[:, 1],
        test.probability[:, 1],
        test.case_id,
        Draws(200),
    )
    difference = table.rows[1].difference
    assert difference is not None
    assert difference.value == f"{expected.difference:+.3f}"
    assert difference.interval == f"{expected.low:+.3f} to {expected.high:+.3f}"
    assert table.rows[1].p_value == "< 0.001"


@pytest.mark.parametrize("cases", [20])
def test_other_patches_are_left_out(tmp_path: Path, cases: int) -> None:
    config = make_run(tmp_path, "one")
    add_baseline(config, "uni", "UNI", cases=cases)
    text = write_report(config).read_text()
    assert "other test patches: UNI." in text
