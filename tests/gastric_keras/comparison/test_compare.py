"""The verdict: right when the second stage helps, silent when nobody can know."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gastric_keras.comparison.compare import compare, run_compare
from gastric_keras.comparison.text import spell_tables
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.runs.predictions import read_predictions, write_predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.statistics.draws import Draws
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json, write_csv, write_json
from tests.helpers.fake_runs import make_run
from tests.helpers.paired_tests import paired_auc_test, paired_cluster_bootstrap


def run(folder: Path, name: str, **options: object) -> Path:
    make_run(folder, name, **options)  # type: ignore[arg-type]
    return folder / "runs" / name


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """AlexNet gains by construction with three seeds; VGG-16 has one seed and noise."""
    folder = tmp_path_factory.mktemp("grid")
    runs = []
    for mid in (None, "tissue", "nuclei"):
        for seed in range(3):
            name = f"alexnet_{mid}_{seed}"
            signal = 1.5 if mid else 0.7
            options = {"mid": mid, "seed": seed, "signal": signal, "subset": "large"}
            runs.append(run(folder, name, cases=40, **options))
    for mid, seed in ((None, 4), ("tissue", 4)):
        options = {"mid": mid, "seed": seed, "backbone": "vgg16", "subset": "small"}
        path = run(folder, f"vgg16_{mid}", cases=40, **options)
        if mid:
            # Another noise, so that the two differ, in neither direction.
            other = run(folder, "other", seed=78, cases=40)
            (path / "evaluate" / "predictions_test.csv").write_bytes(
                (other / "evaluate" / "predictions_test.csv").read_bytes()
            )
            report = read_json(path / "evaluate" / "report.json")
            report["test"] = read_json(other / "evaluate" / "report.json")["test"]
            write_json(path / "evaluate" / "report.json", report)
        runs.append(path)
    out = folder / "out"
    return runs, out, compare(runs[::-1], out, bootstrap=400)


def test_the_verdict_says_who_was_helped_and_who_cannot_tell(grid: tuple) -> None:
    _, _, found = grid
    vgg, alexnet, whole = (v.sentence for v in found.verdicts)
    assert re.fullmatch(
        r"AlexNet: the second stage helped\. AUC \+0\.\d{3} \(95 % interval \+0\.\d{3} "
        r"to \+0\.\d{3}, p < 0\.001\)\.",
        alexnet,
    )
    assert vgg.startswith("VGG-16: too few test cases to tell. AUC ")
    assert "with 40 test cases a difference within about ±0.0" in vgg
    assert whole.startswith("All networks: ")
    assert "1 of 3 settings have one seed: they are taken to vary" in whole
    pooled = found.verdicts[-1].clustered
    assert (pooled.seeds, pooled.borrowed, pooled.settings) == (1, 1, 3)
    assert "The smallest setting has one seed" in found.notes[0]


def test_a_setting_with_one_seed_equals_the_paired_tests(grid: tuple) -> None:
    runs, _, found = grid
    one, two = (read_predictions(RunDir(r).predictions("test")) for r in runs[-2:])
    scores = (one.label, one.probability[:, 1], two.probability[:, 1])
    difference = next(d for d in found.differences if d.backbone == "vgg16")
    expected = paired_cluster_bootstrap(*scores, one.case_id, Draws(400))
    clustered = difference.clustered
    assert (clustered.low, clustered.high, clustered.p_value) == pytest.approx(
        (expected.low, expected.high, expected.p_value)
    )
    assert difference.seeds == pytest.approx({"4": expected.difference})
    delong = paired_auc_test(*scores)
    assert difference.delong.p_value == pytest.approx(delong.p_value)
    # Three settings, this one the least significant: Holm multiplies it by one.
    assert difference.p_holm == pytest.approx(expected.p_value)
    others = [d for d in found.differences if d.backbone == "alexnet"]
    assert [d.p_holm for d in others] == pytest.approx(
        [3 * d.clustered.p_value for d in others]
    )


def test_calls_are_compared_seed_by_seed(grid: tuple) -> None:
    runs, _, found = grid
    tissue = next(d for d in found.differences if d.backbone == "alexnet")
    assert list(tissue.calls) == ["0", "1", "2"]
    for seed, test in enumerate(tissue.calls.values()):
        reports = [read_json(RunDir(runs[i]).report_json) for i in (seed, 3 + seed)]
        one, two = (
            r["test"]["patch"]["at_threshold"]["scores"]["accuracy"]["value"]
            for r in reports
        )
        assert test.difference == pytest.approx(two - one)
        assert test.p_clustered > test.p_value
    text = spell_tables(found)
    assert "p by case, each seed" in text and "the one to believe" in text
    assert f"{np.mean([t.difference for t in tissue.calls.values()]):+.3f}" in text


def test_seeds_are_averaged(grid: tuple) -> None:
    runs, _, found = grid
    reports = [read_json(RunDir(r).report_json) for r in runs]
    auc = [r["test"]["patch"]["scores"]["auc"]["value"] for r in reports]
    tissue = next(d for d in found.differences if d.backbone == "alexnet")
    assert (tissue.path, tissue.base) == ("tissue", "one stage")
    gains = np.subtract(auc[3:6], auc[:3])
    assert list(tissue.seeds.values()) == pytest.approx(gains)
    assert tissue.clustered.difference == pytest.approx(gains.mean())
    assert tissue.delong.difference == pytest.approx(gains.mean())
    assert (tissue.clustered.seeds, tissue.clustered.settings) == (3, 1)
    alexnet = next(v for v in found.verdicts if v.about == "AlexNet").clustered
    settings = [d.clustered for d in found.differences if d.backbone == "alexnet"]
    assert alexnet.difference == pytest.approx(
        np.mean([s.difference for s in settings])
    )
    cell = next(
        c for c in found.cells if (c.backbone, c.path) == ("alexnet", "one stage")
    )
    assert cell.scores["AUC"] == pytest.approx(auc[:3])
    mean, sd = np.mean(auc[:3]), np.std(auc[:3], ddof=1)
    assert f"{mean:.3f} ± {sd:.3f}" in spell_tables(found)


def test_the_files_hold_the_tables_the_numbers_and_the_pictures(grid: tuple) -> None:
    runs, out, found = grid
    text = (out / "tables.md").read_text(encoding="utf-8")
    assert text == spell_tables(found)
    assert text.index("| VGG-16") < text.index("| AlexNet")  # the paper's order
    assert text.index("*small*: 540 labels") < text.index("*large*: 1100 labels")
    assert re.findall(r"\| AlexNet +\| (one stage|tissue|nuclei)", text)[:3] == [
        "one stage",
        "tissue",
        "nuclei",
    ]
    header = next(line for line in text.splitlines() if "mid-level set" in line)
    assert "gain in Qu et al. 2018, private gastric data" in header
    rows = [line for line in text.splitlines() if "| small  | tissue" in line]
    assert rows[0].startswith("| VGG-16") and "| +0.035 " in rows[0]
    assert ".879 .793 .863 .695" in text and "doi 10.1155/2018/8961781" in text
    assert "the same setting in " in text and " of 3 settings." in text
    assert "Labels: 1080 for training, 144 for validation from 24 cases." in text
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 5
    gains = next(table for table in tables if "gain in the paper" in table)
    assert gains.count("0.879 → 0.914") == 1
    for table in tables:
        assert len({len(line) for line in table.splitlines()}) == 1
    tree = read_json(out / "comparison.json")
    assert tree["verdicts"][0]["sentence"] == found.verdicts[0].sentence
    assert (tree["patches"], tree["cases"]) == (240, 40)
    assert sum(len(cell["runs"]) for cell in tree["cells"]) == len(runs)
    # roc_<set>.png has two panels or more: the nuclei runs are of AlexNet alone.
    assert not (out / "roc_nuclei.png").exists()
    for name in ("roc.png", "roc_tissue.png", "differences.png"):
        with Image.open(out / name) as picture:
            assert picture.format == "PNG"
        assert (out / name).stat().st_size < 300_000


@pytest.fixture(scope="module")
def controlled(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """Tissue helps by its labels: shuffled labels and more updates leave one stage
    where it was; two stages with 90 labels are as good as one with 540."""
    folder = tmp_path_factory.mktemp("controls")
    runs = []
    for seed in range(3):
        for subset, low, high in ((90, 0.5, 1.2), ("small", 1.2, 1.6)):
            for path, options in {
                "one": {"signal": low},
                "two": {"mid": "tissue", "signal": high},
                "lot": {"mid": "tissue", "signal": low, "variant": "shuffled_labels"},
                "more": {"mid": "tissue", "signal": low, "variant": "more_updates"},
                "joint": {"mid": "tissue", "signal": high, "variant": "joint"},
                "probe": {"signal": 0.4, "epochs": 0},
                "probed": {"mid": "tissue", "signal": 0.9, "epochs": 0},
            }.items():
                name = f"{path}_{subset}_{seed}"
                options |= {"subset": subset, "seed": seed, "cases": 40}
                runs.append(run(folder, name, **options))
    out = folder / "out"
    return out, compare(runs, out, bootstrap=200)


def test_controls_say_where_the_gain_comes_from(controlled: tuple) -> None:
    out, found = controlled
    assert {(d.path, d.base) for d in found.differences} == {("tissue", "one stage")}
    by_name = {(d.subset, d.path, d.base): d.clustered for d in found.controls}
    assert len(by_name) == 2 * (3 * 2 + 2)
    for base in ("tissue, shuffled labels", "one stage, updates of tissue"):
        gain = by_name["90", "tissue", base]
        assert gain.low > 0 and gain.seeds == 3
        assert abs(by_name["90", base, "one stage"].difference) < 0.02
    assert abs(by_name["90", "tissue", "tissue, both at once"].difference) < 0.02
    assert by_name["90", "linear probe after tissue", "linear probe"].low > 0
    assert by_name["90", "one stage", "linear probe"].difference > 0
    text = (out / "tables.md").read_text(encoding="utf-8")
    assert "## Controls" in text and "| tissue, shuffled labels " in text
    # None of them is a partner that is missing, and none is in the verdict.
    assert not any("without a partner" in note for note in found.notes)
    assert found.verdicts[0].clustered.settings == 2


def test_labels_saved_are_read_off_the_curve_of_one_stage(controlled: tuple) -> None:
    out, found = controlled
    assert [curve.path for curve in found.efficiency] == ["one stage", "tissue"]
    one, two = found.efficiency
    assert [point.labels for point in one.points] == [90, 540] and not one.savings
    for point in (*one.points, *two.points):
        assert point.low < point.auc < point.high and point.seeds == 3
    few, many = two.savings
    assert 400 < few.equal <= 540 and few.low <= few.equal <= few.high
    assert many.equal == 540
    text = (out / "tables.md").read_text(encoding="utf-8")
    assert (
        "- AlexNet, tissue: two stages with 90 labels a class equal one stage" in text
    )
    assert "equal one stage with 540 or more (95 % interval" in text
    with Image.open(out / "labels.png") as picture:
        assert picture.format == "PNG"


def test_what_t1_does_to_the_features_stands_beside_the_gain(tmp_path: Path) -> None:
    runs = []
    for seed, (change, signal) in enumerate(
        [(0.1, 1.6), (0.05, 1.3), (0, 1), (-1, 0.5)]
    ):
        runs.append(run(tmp_path, f"one{seed}", seed=seed, cases=40))
        two = run(
            tmp_path, f"two{seed}", mid="tissue", seed=seed, signal=signal, cases=40
        )
        runs.append(two)
        rows = [("initial", "conv1", 64, 0.6), ("initial", "pool5", 256, 0.7)]
        rows += [("mid", "conv1", 64, 0.65), ("mid", "pool5", 256, 0.7 + change / 2)]
        columns = ("stage", "layer", "channels", "val_auc")
        write_csv(RunDir(two).layer_scores, columns, rows)
    found = compare(runs, tmp_path / "out", bootstrap=100)
    assert [each.layers for each in found.quality] == [("conv1", "pool5")] * 4
    assert found.quality[0].before == (0.6, 0.7) and found.quality[0].gain > 0.03
    text = (tmp_path / "out" / "tables.md").read_text(encoding="utf-8")
    assert re.search(r"\| tissue +\| conv1 \| 0.600 \| 0.650 \| \+0.050 \|", text)
    assert "Over the 4 probed runs" in text and "Spearman's rho +1.00" in text


def test_harm_is_called_harm(tmp_path: Path) -> None:
    runs = [
        run(tmp_path, "one", signal=2, cases=40),
        run(tmp_path, "two", mid="tissue", signal=0.3, cases=40),
    ]
    found = compare(runs, tmp_path / "out", bootstrap=200)
    assert "AlexNet: the second stage made it worse in this one training. AUC -0." in (
        found.verdicts[0].sentence
    )
    assert len(found.verdicts) == 1


def test_one_seed_everywhere_gives_no_unqualified_verdict(tmp_path: Path) -> None:
    runs = []
    for subset in (90, "small"):
        for mid, signal in ((None, 2), ("tissue", 0.3)):
            name = f"{subset}_{mid}"
            options = {"mid": mid, "signal": signal, "subset": subset, "cases": 40}
            runs.append(run(tmp_path, name, **options))
    (verdict,) = compare(runs, tmp_path / "out", bootstrap=200).verdicts
    assert (
        "the second stage made it worse in these trainings. AUC -" in verdict.sentence
    )
    assert "another seed may turn out otherwise" in verdict.sentence


def test_two_perfect_runs_are_not_called_equal(tmp_path: Path) -> None:
    runs = [
        run(tmp_path, "one", signal=9),
        run(tmp_path, "two", mid="tissue", signal=9),
    ]
    sentence = compare(runs, tmp_path / "out", bootstrap=200).verdicts[0].sentence
    assert "nothing to tell apart. AUC +0.000 in every draw" in sentence


def test_two_cases_are_too_few(tmp_path: Path) -> None:
    runs = [run(tmp_path, "one", cases=2), run(tmp_path, "two", mid="tissue", cases=2)]
    found = compare(runs, tmp_path / "out", bootstrap=200)
    sentence = found.verdicts[0].sentence
    assert (
        "too few test cases to tell" in sentence
        and "no interval: one case only" in sentence
    )
    assert found.differences[0].p_holm is None
    assert "not defined" in (tmp_path / "out" / "tables.md").read_text()


def test_runs_without_a_partner_are_only_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    runs = [run(tmp_path, "one"), run(tmp_path, "two", mid="tissue", seed=1)]
    run_compare(runs, tmp_path / "out")
    text = capsys.readouterr().out
    assert "there is nothing to compare" in text
    assert "without a partner: one, two." in text
    assert f"pictures in {tmp_path / 'out'}" in text
    assert not (tmp_path / "out" / "differences.png").exists()


def test_what_else_differs_is_told(tmp_path: Path) -> None:
    runs = [run(tmp_path, "one"), run(tmp_path, "two", mid="tissue")]
    path = RunDir(runs[1]).config
    config = config_io.load(ExperimentConfig, path, ["backbone.dropout=0.1"])
    config_io.save(config, path)
    notes = compare(runs, tmp_path / "out", bootstrap=200).notes
    assert any("backbone.dropout (0.5 and 0.1). Their" in note for note in notes)


def test_names_from_outside_are_no_markup_in_the_tables(tmp_path: Path) -> None:
    one = run(tmp_path, "one", subset="small")
    names = (one.with_name("<img src=x onerror=alert(1)>"), one.with_name("a|b\u202e"))
    for name in names:
        one = one.rename(name)
        compare([one], tmp_path / "out", bootstrap=100)
        text = (tmp_path / "out" / "tables.md").read_text(encoding="utf-8")
        assert "<" not in text and "\u202e" not in text
    assert r"without a partner: a\|b\u202e." in text


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    runs = [run(tmp_path, "one"), run(tmp_path, "two", mid="tissue", signal=1.4)]
    before = compare(runs, tmp_path / "out", bootstrap=200)
    path = RunDir(runs[1]).predictions("test")
    found = read_predictions(path)
    turned = {
        name: getattr(found, name)[::-1]
        for name in ("case_id", "image_id", "x", "y", "label", "probability")
    }
    write_predictions(path, type(found)(classes=found.classes, **turned))
    after = compare(runs, tmp_path / "out", bootstrap=200)
    assert after.differences[0].clustered == before.differences[0].clustered


def test_runs_that_cannot_be_compared_are_refused_by_name(tmp_path: Path) -> None:
    one = run(tmp_path, "one")
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"got none. Name them with --runs"):
        compare([], out)
    half = run(tmp_path, "half", mid="tissue")
    RunDir(half).done("evaluate").unlink()
    with pytest.raises(InputError) as caught:
        compare([one, half, tmp_path / "none"], out)
    assert f"{half} (without evaluate/done.json)" in str(caught.value)
    assert f"{tmp_path / 'none'} (without config.yaml, " in str(caught.value)
    assert str(one) not in str(caught.value)
    other = run(tmp_path, "other", mid="tissue", cases=26)
    with pytest.raises(InputError) as caught:
        compare([one, other], out)
    assert f"those of {one}, got {other} (12 rows that" in str(caught.value)
    assert "Compare runs of one target set only" in str(caught.value)
    twin = run(tmp_path, "twin")
    with pytest.raises(InputError) as caught:
        compare([one, twin], out)
    assert f"{one} and {twin}, both alexnet, all, one stage" in str(caught.value)
    lone = run(tmp_path, "lone", cases=1)
    with pytest.raises(InputError, match="0 positive of 6. Make a target set"):
        compare([lone], out)
    assert not out.exists()


def test_a_report_of_an_older_version_is_refused(tmp_path: Path) -> None:
    one = run(tmp_path, "one")
    report = read_json(RunDir(one).report_json)
    del report["labels_per_class"]
    write_json(RunDir(one).report_json, report)
    with pytest.raises(InputError, match="of an older version. Run --stage evaluate"):
        compare([one], tmp_path / "out")


def test_subsets_come_by_size(tmp_path: Path) -> None:
    names = ("large", "small", None, 1000, 90)
    runs = [run(tmp_path, f"run_{n}", subset=n, signal=9) for n in names]
    found = compare(runs, tmp_path / "out", bootstrap=100)
    assert [c.subset for c in found.cells] == ["90", "small", "1000", "large", "all"]


def test_compare_never_loads_tensorflow() -> None:
    code = (
        "import sys, gastric_keras.comparison.compare; "
        "sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
