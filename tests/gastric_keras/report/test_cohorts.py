"""External cohorts on the page: their section, their leaks, and stale ones left out."""

from __future__ import annotations

import pytest

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.runs.cohort_shapes import SharedWithRun
from gastric_keras.runs.cohorts import read_cohorts
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json, write_json
from tests.gastric_keras.report.test_page import read_page
from tests.helpers.fake_cohorts import add_cohort
from tests.helpers.fake_runs import make_run, write_report

pytestmark = pytest.mark.usefixtures("blank_figures")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[ExperimentConfig, RunDir]:
    """A run with two cohorts, of which one was scored before the run anew."""
    folder = tmp_path_factory.mktemp("lab")
    config = make_run(folder, "one")
    run_dir = RunDir(folder / "runs" / "one")
    shared = (SharedWithRun("cases", "train of the target set", 2, "<b>7</b>"),)
    add_cohort(config, "north", shared=shared)
    add_cohort(config, "south", signal=1.0, case="south")
    done = run_dir.cohort("south").done
    write_json(done, read_json(done) | {"report_sha256": "of older scores"})
    return config, run_dir


def test_a_cohort_has_a_section_of_its_own(
    run: tuple[ExperimentConfig, RunDir], capsys: pytest.CaptureFixture[str]
) -> None:
    config, run_dir = run
    page = read_page(write_report(config))
    assert "Warning: the external cohort south is left out" in capsys.readouterr().err
    assert "Cohort north" in page.text and "Cohort south" not in page.text
    assert "2 cases with train of the target set, such as <b>7</b>" in page.text
    assert "48 benign patches from 8 cases" in page.text
    change = read_json(run_dir.cohort("north").scores)["changes"]["patch"]["auc"]
    ends = f"{change['low']:+.3f} to {change['high']:+.3f}"
    assert f"{change['value']:+.3f}" in page.text and ends in page.text
    # Two areas, two confusions, reliability, score drift and stain; beside them
    # those of the run itself.
    alts = [attributes["alt"] for attributes in page.all("img")]
    assert len(set(alts)) == len(alts) == 7 + 6
    assert sum("the internal test against cohort north" in alt for alt in alts) == 2
    regions = [a["aria-label"] for _, a in page.elements if "aria-label" in a]
    assert len(set(regions)) == len(regions)


def test_every_byte_of_a_cohort_is_vouched_for(
    run: tuple[ExperimentConfig, RunDir],
) -> None:
    run_dir = run[1]
    place = run_dir.cohort("north")
    for path in (place.scores, place.predictions, run_dir.internal_appearance):
        sound = path.read_bytes()
        path.write_bytes(sound + b"\n")
        with pytest.raises(
            InputError, match=f"{path.name} must have the sha256 .*Copy"
        ):
            read_cohorts(run_dir)
        path.write_bytes(sound)
    sound = place.done.read_bytes()
    write_json(place.done, {"report_sha256": read_json(place.done)["report_sha256"]})
    with pytest.raises(InputError, match="must hold the checksums of a scored cohort"):
        read_cohorts(run_dir)
    place.done.write_bytes(sound)
    assert [cohort.scores.name for cohort in read_cohorts(run_dir)] == ["north"]
