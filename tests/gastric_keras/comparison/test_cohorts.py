"""External cohorts in a comparison: a table, and two stages against one on them."""

from __future__ import annotations

from pathlib import Path

from gastric_keras.comparison.compare import compare
from gastric_keras.comparison.text import spell_tables
from tests.helpers.fake_cohorts import add_cohort
from tests.helpers.fake_runs import make_run


def test_cohorts_stand_in_tables_of_their_own(tmp_path: Path) -> None:
    folders, changes = [], []
    for mid, signal in ((None, 0.7), ("tissue", 1.5)):
        for seed in range(2):
            name = f"run_{mid}_{seed}"
            config = make_run(tmp_path, name, mid=mid, seed=seed, signal=signal)
            # As in a real cohort the rows are those of its set, for every run.
            found = add_cohort(config, "north", signal=signal)
            if mid is None:
                changes.append(found.changes["patch"]["auc"].value)
            folders.append(tmp_path / "runs" / name)
    add_cohort(config, "south", manifest=2)
    found = compare(folders, tmp_path / "out", bootstrap=100)
    north, south = found.cohorts
    assert (north.name, north.patches, north.cases) == ("north", 96, 16)
    one = next(cell for cell in north.cells if cell.path == "one stage")
    assert one.scores["change of AUC"] == tuple(changes) and one.change is None
    (difference,) = north.differences
    assert (difference.path, list(difference.seeds)) == ("tissue", ["0", "1"])
    assert difference.clustered.difference > 0
    (cell,) = south.cells
    assert len(cell.runs) == 1 and cell.change is not None and not south.differences
    text = spell_tables(found)
    assert "## External cohort north" in text and "## External cohort south" in text
    assert f"{cell.change.low:+.3f} to {cell.change.high:+.3f}" in text
    assert "Differences in AUC on this cohort" in text
    assert (tmp_path / "out" / "tables.md").read_text() == text
