"""The page holds what the run's files say, and nothing that leaves the page."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.config.mid import SecondSetConfig
from gastric_keras.report.page import run_report
from gastric_keras.runs.predictions import Predictions, read_predictions
from gastric_keras.runs.rows import case_rows
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.statistics.scores import Score
from gastric_keras.statistics.words import SpelledScore, spell_score
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json, write_atomic, write_json
from gastric_keras.support.text import visible
from tests.helpers.fake_runs import (
    MID_CLASSES,
    add_pictures,
    add_quality,
    make_run,
    write_report,
    write_set,
)

pytestmark = pytest.mark.usefixtures("blank_figures")

VOID = {"meta", "img", "br", "wbr", "link", "input", "hr"}


class Page(HTMLParser):
    """Elements, text by id of the section, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


def read_page(path: Path) -> Page:
    page = Page(path.read_text(encoding="utf-8"))
    assert not page.open
    return page


@pytest.fixture(scope="module")
def two_stages(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    folder = tmp_path_factory.mktemp("lab")
    config = make_run(folder, "two", mid="nuclei", subset="small")
    run_dir = RunDir(folder / "runs" / "two")
    add_pictures(run_dir)
    add_quality(folder / "records" / "nuclei")
    path = write_report(config)
    return config, run_dir, path, read_page(path)


def test_the_page_is_one_file_without_network(two_stages: tuple) -> None:
    _, run_dir, path, page = two_stages
    assert path == run_dir.report_html
    text = path.read_text(encoding="utf-8")
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    assert not re.search(r"https?:|@import|url\(|srcset", text)
    for _, attributes in page.elements:
        for name in ("src", "href"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:image/png;base64,")), value
    targets = {attributes["href"] for attributes in page.all("a")}
    ids = {f"#{a['id']}" for _, a in page.elements if "id" in a}
    assert targets <= ids and len(targets) == 11
    assert path.stat().st_size < 3e6


def test_every_picture_has_a_text_that_says_what_it_shows(two_stages: tuple) -> None:
    _, run_dir, _, page = two_stages
    alts = [attributes["alt"] for attributes in page.all("img")]
    # Two stages, ROC, precision-recall, reliability, two confusions, and of stage
    # visualize one of each kind.
    assert len(alts) == 11 and len(set(alts)) == 11
    assert "Made picture of kind error, of case <b>7</b>" in alts
    assert sum("Shaded: 95% of the curves of drawn cases" in alt for alt in alts) == 2
    scores = read_json(run_dir.report_json)["test"]["patch"]
    auc = scores["scores"]["auc"]["value"]
    assert any(f"per patch: AUC {auc:.3f}" in alt for alt in alts)
    (tn, fp), (fn, tp) = scores["at_threshold"]["confusion"]
    assert any(f"{tp} of {tp + fn} malignant and {tn} of {tn + fp}" in a for a in alts)


def test_the_scores_are_those_of_report_json(two_stages: tuple) -> None:
    _, run_dir, _, page = two_stages
    report = read_json(run_dir.report_json)
    for unit in ("patch", "case"):
        assert f"Per {unit}: {report['test'][unit]['n']}," in page.text
        points = report["test"][unit]
        for scores in (
            points["scores"],
            points["at_half"]["scores"],
            points["at_threshold"]["scores"],
        ):
            for score in scores.values():
                assert f"{score['value']:.3f}" in page.text
                assert f"{score['low']:.3f}–{score['high']:.3f}" in page.text
    assert f"at {report['threshold']:.3f}" in page.text
    assert "Not a diagnostic device" in page.text
    assert "from 200 bootstrap draws of whole cases" in " ".join(page.text.split())


def test_data_training_and_provenance_are_told(two_stages: tuple) -> None:
    config, run_dir, _, page = two_stages
    text = " ".join(page.text.split())
    assert "Mid-level set, t=1" in text and "Target set, t=2" in text
    assert "42 too few nuclei" in text and "1,234" in text
    assert "256 px; 0.5 µm per px" in text and "small (540 per class)" in text
    assert "5 weights taken over, 2 weights initialized, 0 weights left" in text
    assert "Best validation AUC 0.880 in epoch 6 of 6; 99 steps in 12 s" in text
    assert "0123456789ab" in text and "tensorflow-io not installed" in text
    records = read_json(run_dir.provenance)["records"]
    assert records[config.mid.records]["manifest_sha256"] in text
    assert "learning_rate: 0.0001" in text
    assert "made again since this run" not in text


def test_two_heads_are_told_each_with_its_score(tmp_path: Path) -> None:
    config = make_run(tmp_path, "two-heads", mid="tissue")
    folder = write_set(tmp_path / "records" / "nuclei", "nuclei", MID_CLASSES["nuclei"])
    assert config.mid is not None
    second = SecondSetConfig(str(folder), MID_CLASSES["nuclei"])
    config = replace(config, mid=replace(config.mid, second=second))
    run_dir = RunDir(tmp_path / "runs" / "two-heads")
    config_io.save(config, run_dir.config)
    scores = {"val_mean": 0.75, "val_first_auc": 0.9, "val_second_auc": 0.6}
    rest = {"best_epoch": 0, "val_auc": None, "epochs": 1, "seconds": 1, "steps": 9}
    write_json(run_dir.done("mid"), rest | {"scores": scores})
    write_atomic(
        run_dir.history("mid"), "epoch,loss,val_loss,val_mean\n0,1.5,1.4,0.75\n"
    )
    text = " ".join(read_page(write_report(config)).text.split())
    assert (
        "Best mean of the validation scores of both heads 0.750 in epoch 1 of 1; first "
        "head: validation AUC 0.900; second head: validation AUC 0.600; 9 steps in 1 s"
    ) in text
    assert "Mid-level set, t=1" in text and "Second mid-level set, t=1" in text
    assert "Cases of the second mid-level set in test of the target set" in text


def test_what_comes_from_outside_is_escaped(two_stages: tuple) -> None:
    _, _, path, page = two_stages
    assert "<b>blurred</b>" in page.text  # the name of a reason, in the manifest
    assert not page.all("b")
    assert "&lt;b&gt;blurred" in path.read_text(encoding="utf-8")


def test_the_page_is_semantic(two_stages: tuple) -> None:
    _, _, _, page = two_stages
    assert page.all("html")[0]["lang"] == "en"
    assert "width=device-width" in str(page.all("meta"))
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("nav")) == 1
    assert all("scope" in attributes for attributes in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) > 8
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    # No level is skipped on the way down.
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))
    # What can be scrolled can be reached with the keyboard, and has a name.
    for _, attributes in page.elements:
        if "scroll" in attributes.get("class", "").split():
            assert attributes["tabindex"] == "0" and attributes["aria-label"]
    for attributes in page.all("section"):
        assert attributes["aria-labelledby"] == f"h-{attributes['id']}"


def test_the_page_reads_in_light_and_dark_and_print(two_stages: tuple) -> None:
    _, _, path, _ = two_stages
    style = path.read_text(encoding="utf-8").split("</style>")[0]
    palettes = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    assert len(palettes) == 3  # light, dark, print
    for palette in palettes:
        colors = dict(re.findall(r"--([\w-]+): (#\w+);", palette))
        pairs = [(ink, paper) for ink in ("text", "soft") for paper in ("page", "card")]
        pairs += [("accent", "page"), ("bad", "page"), ("warn-text", "warn")]
        for ink, paper in pairs:
            assert contrast(colors[ink], colors[paper]) >= 4.5, (ink, paper, palette)


def contrast(one: str, other: str) -> float:
    """Ratio of WCAG 2.2 between two hexadecimal colors."""

    def luminance(color: str) -> float:
        digits = color[1:] if len(color) == 7 else "".join(2 * c for c in color[1:])
        rgb = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_a_history_that_lost_an_epoch_is_refused(tmp_path: Path) -> None:
    config = make_run(tmp_path, "one", signal=8)
    history = RunDir(tmp_path / "runs" / "one").history("target")
    rows = history.read_text().splitlines(keepends=True)
    history.write_text("".join(rows[:-1]))
    with pytest.raises(InputError, match="as many epochs as .*epochs=5"):
        write_report(config)


def test_missing_parts_are_left_out(tmp_path: Path) -> None:
    config = make_run(tmp_path, "one", signal=8)
    run_dir = RunDir(tmp_path / "runs" / "one")
    run_dir.provenance.unlink()
    run_dir.history("target").unlink()
    run_dir.transfer_report("target").unlink()
    (tmp_path / "records" / "target" / "manifest.json").unlink()
    page = read_page(write_report(config))
    text = " ".join(page.text.split())
    assert "in one stage: from ImageNet (t=0) straight to the target set" in text
    assert "Mid-level set" not in text and "Filter responses" not in text
    assert "Not made yet: stage visualize shows them" in text
    assert "Quality, as data_prep measured it" not in text
    assert "The set cannot be read now. The folder of a set must have a" in text
    assert "No provenance was recorded" in text
    # A perfect score: the bound is marked as exact.
    assert "1.000" in text and "–1.000†" in text


def test_a_set_that_was_made_again_is_told(tmp_path: Path) -> None:
    config = make_run(tmp_path, "one")
    manifest = tmp_path / "records" / "target" / "manifest.json"
    write_atomic(
        manifest, manifest.read_text().replace('"patch_size": 256', '"patch_size": 128')
    )
    assert "made again since this run" in read_page(write_report(config)).text


def test_stain_and_scale_of_the_sets_are_told(tmp_path: Path) -> None:
    config = make_run(tmp_path, "two", mid="nuclei")
    assert config.mid is not None
    manifest = Path(config.mid.records) / "manifest.json"
    held = read_json(manifest)
    held["mpp"] = 1.0
    held["config"] = {"normalization": "macenko", "not_normalized": ["x"]}
    write_json(manifest, held)
    text = " ".join(read_page(write_report(config)).text.split())
    assert "Stain normalized by macenko (1 picture could not be fitted" in text
    assert "Stain as scanned." in text
    assert "Where the sets meet: a patch of the Mid-level set, t=1 shows 256 µm" in text
    assert "Where the sets meet: the sets differ in their stain" in text


def test_a_score_that_is_not_defined_gives_its_reason(tmp_path: Path) -> None:
    config = make_run(tmp_path, "one", cases=1)
    text = read_page(write_report(config)).text
    assert "needs both classes; every row is negative" in text
    assert not re.search(r"\b(nan|None)\b", text)


def test_the_stage_prints_where_the_page_is(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config = make_run(tmp_path, "one")
    run_dir = RunDir(tmp_path / "runs" / "one")
    add_pictures(run_dir, kinds=("decision",))
    run_report(config, run_dir, force=True)
    assert f"report: {run_dir.report_html} (" in capsys.readouterr().out
    assert run_dir.done("report").is_file()
    # Stage visualize found no error to show.
    text = read_page(run_dir.report_html).text
    assert "None: every patch of the test split is called right" in text


def test_quality_and_leaks_are_told(two_stages: tuple) -> None:
    text = " ".join(two_stages[3].text.split())
    assert "The class is tied to the case: <i>0.62</i>" in text
    assert "Share kept97.8%of the patches looked at" in text
    assert "Silhouette of the clusters0.36" in text and "Agreement99.5%" in text
    assert "not recorded with a run" in text
    # The made-up sets give all their splits the names train0, validation0, …
    assert (
        "Cases of the mid-level set in test of the target setsuch as test0 7 ✗" in text
    )
    assert (
        "Cases of the mid-level set in train of the target setsuch as train0 7 C"
        in text
    )
    assert (
        "Images in validation and in test of the target setsuch as image00 24 ✗" in text
    )


def test_subgroups_and_calibration_are_told(tmp_path: Path) -> None:
    config = make_run(tmp_path, "one", subgroups={"few <i>": "image0"})
    page = read_page(write_report(config))
    text = "".join(page.text.split())
    report = read_json(RunDir(tmp_path / "runs" / "one").report_json)
    patch = report["subgroups"]["few <i>"]["test"]["patch"]
    auc = patch["scores"]["auc"]["value"]
    wanted = f"few<i>{patch['n']},{patch['positives']}malignant10{auc:.3f}"
    assert wanted in text
    scores = report["test"]["case"]["scores"]
    before, after = (scores[k] for k in ("brier", "brier_calibrated"))
    assert (
        f"Brierscore,percase{before['value']:.3f}{before['low']:.3f}–"
        f"{before['high']:.3f}{after['value']:.3f}{after['low']:.3f}" in text
    )
    assert f"Onetemperature,{report['temperature']:.2f},fitted" in text


def test_names_from_data_cannot_break_the_page(tmp_path: Path) -> None:
    """Classes, cases and reasons with markup in them come out as they are."""
    classes = ("<script>alert(1)</script>", 'a" onload="b')
    config = make_run(tmp_path, "one", classes=classes, case="<img src=x>&amp;{{ 1 }}")
    page = read_page(write_report(config))
    assert not page.all("script")
    assert all("onload" not in attributes for _, attributes in page.elements)
    assert {a["src"][:5] for a in page.all("img")} == {"data:"}
    assert "<img src=x>&amp;{{ 1 }}00" in page.text
    assert "<script>alert(1)</script>" in page.text and 'a" onload="b' in page.text


def test_a_picture_that_is_gone_is_refused(tmp_path: Path) -> None:
    config = make_run(tmp_path, "one")
    run_dir = RunDir(tmp_path / "runs" / "one")
    add_pictures(run_dir)
    (run_dir.figures / "made_error.png").unlink()
    with pytest.raises(InputError, match="none at .*made_error.png. Run --stage vis"):
        write_report(config)


def test_scores_of_an_earlier_version_are_refused(tmp_path: Path) -> None:
    config = make_run(tmp_path, "one")
    path = RunDir(tmp_path / "runs" / "one").report_json
    scores = read_json(path)
    del scores["temperature"]
    write_json(path, scores)
    with pytest.raises(InputError, match="of an earlier version. Run --stage evaluate"):
        write_report(config)


def test_curves_of_a_mid_level_stage_made_elsewhere_are_shown(tmp_path: Path) -> None:
    """With mid.init they lie beside its weights."""
    other = make_run(tmp_path, "other", mid="nuclei")
    init = RunDir(tmp_path / "runs" / "other").weights("mid")
    config = make_run(tmp_path, "one", mid="nuclei", init=str(init))
    for part in RunDir(tmp_path / "runs" / "one").stage("mid").iterdir():
        part.unlink()
    assert other.mid is not None
    alts = [a["alt"] for a in read_page(write_report(config)).all("img")]
    assert any(alt.startswith("Learning curves of t=1: mid-level set") for alt in alts)


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    config = make_run(tmp_path, "one")
    RunDir(tmp_path / "runs" / "one").report_json.unlink()
    with pytest.raises(InputError) as caught:
        write_report(config)
    assert "without evaluate/report.json. Run --stage evaluate" in str(caught.value)


def test_hardest_errors_by_hand() -> None:
    predictions = Predictions(
        classes=("benign", "malignant"),
        case_id=np.array(["a", "a", "b", "c", "d"]),
        image_id=np.array(list("vwxyz")),
        x=np.zeros(5, int),
        y=np.zeros(5, int),
        label=np.array([0, 0, 1, 1, 0]),
        probability=np.array([[0.4, 0.6], [0.1, 0.9], [0.8, 0.2], [0, 1], [0.7, 0.3]]),
    )
    # Row 0 is of the case of row 1; rows 3 and 4 are right.
    assert predictions.hardest_errors("malignant", 0.5, most=6) == [1, 2]
    assert predictions.hardest_errors("malignant", 0.5, most=1) == [1]
    assert predictions.hardest_errors("malignant", 0.3, most=6) == [1, 2, 4]
    assert predictions.hardest_errors("benign", 0.05, most=6) == [2]


def test_case_rows_by_hand() -> None:
    p = np.array([0.9, 0.7, 0.2, 0.6, 0.1], np.float32)
    predictions = Predictions(
        classes=("malignant", "benign"),
        case_id=np.array(["a", "a", "b", "b", "c"]),
        image_id=np.array(list("vwxyz")),
        x=np.zeros(5, int),
        y=np.zeros(5, int),
        label=np.array([0, 1, 0, 0, 1]),
        probability=np.stack([p, 1 - p], axis=1),
    )
    rows = case_rows(predictions, "malignant", threshold=0.5)
    assert [(r.case, r.truth, r.call) for r in rows] == [
        ("b", "malignant", "benign"),
        ("a", "malignant", "malignant"),
        ("c", "benign", "benign"),
    ]
    assert [r.score for r in rows] == pytest.approx([0.4, 0.8, 0.1])
    assert [r.is_mixed for r in rows] == [False, True, False]
    assert [r.patches for r in rows] == [2, 2, 1]


def test_scores_are_spelled() -> None:
    score = Score(0.9, 0.8, 1, method="exact")
    assert spell_score(score).interval == "0.800–1.000†"
    lone = Score(0.9, method="exact", reason="one case only")
    assert spell_score(lone) == SpelledScore("0.900", note="one case only")
    assert spell_score(Score(None, reason="one case only")).value == "—"


def test_what_nobody_sees_is_spelled_out(tmp_path: Path) -> None:
    """Marks of direction would turn the text of the page around; a null is no HTML."""
    hidden = "a\u202eb\x00c\u2028d\ud800"
    config = make_run(tmp_path, "one", classes=(hidden[:-1], "$x_$ {"))
    run_dir = RunDir(tmp_path / "runs" / "one")
    facts = read_json(run_dir.provenance) | {"command": "\x1b[31m\u2066"}
    write_json(run_dir.provenance, facts)
    page = read_page(write_report(config))
    assert r"a\u202eb\u0000c\u2028d" in page.text and r"\u001b[31m\u2066" in page.text
    assert not set("\u202e\x00\u2028\x1b\u2066") & set(page.text)
    assert visible(hidden).endswith(r"\ud800") and visible("ä\t\n–") == "ä\t\n–"


def test_fake_runs_are_real_runs(tmp_path: Path) -> None:
    """What these tests stand on: the folder reads back through the real readers."""
    config = make_run(tmp_path, "one", mid="tissue")
    run_dir = RunDir(tmp_path / "runs" / "one")
    assert config_io.load(ExperimentConfig, run_dir.config) == config
    assert read_predictions(run_dir.predictions("test")).label.size == 144
    write_json(run_dir.done("x"), {})


def test_report_and_tables_never_load_tensorflow() -> None:
    code = (
        "import sys, gastric_keras.report.page; "
        "sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
