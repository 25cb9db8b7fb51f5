"""The report in a real browser: a phone, a desk, dark, and paper."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gastric_keras.runs.run_dir import RunDir
from tests.helpers.fake_runs import add_pictures, add_quality, make_run, write_report

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with long names in it, which must not widen it."""
    folder = tmp_path_factory.mktemp("lab")
    config = make_run(
        folder,
        "a_run_with_a_name_that_is_longer_than_a_phone_is_wide_by_far",
        mid="nuclei",
        case="hospital/case-with-a-name-that-is-longer-than-a-phone-is-wide-by-far-",
        subgroups={"a_subgroup_with_a_name_longer_than_a_column": "image0"},
    )
    add_pictures(RunDir(folder / "runs" / config.name))
    add_quality(folder / "records" / "nuclei")
    return write_report(config)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_wider_than_the_window(
    report: Path, browser: Any, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    wanted: list[str] = []
    page.on("request", lambda request: wanted.append(request.url[:5]))
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    # No picture is broken, and nothing but the file was asked for.
    sizes = page.evaluate("[...document.images].map(i => [i.naturalWidth, i.width])")
    assert len(sizes) == 11 and all(own > 0 and 0 < shown for own, shown in sizes)
    assert set(wanted) == {"file:"}
    page.close()


def test_dark_is_dark_and_figures_keep_their_paper(report: Path, browser: Any) -> None:
    script = """element => getComputedStyle(element).backgroundColor"""
    found = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(report.as_uri())
        found[scheme] = [
            np.mean([int(v) for v in re.findall(r"\d+", color)[:3]])
            for color in (
                page.eval_on_selector("body", script),
                page.eval_on_selector("figure img", script),
            )
        ]
        page.close()
    assert found["light"][0] > 240 and found["dark"][0] < 40
    # The ink of a figure is black in both.
    assert found["light"][1] == found["dark"][1] == 255


def test_it_prints(report: Path, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 794, "height": 1123})  # A4
    page.goto(report.as_uri())
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") > 3
    # On paper nobody scrolls: tables that scroll on the screen are whole.
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") == 794
    cut = """[...document.querySelectorAll('.long, pre')].filter(
        element => getComputedStyle(element).overflowY != 'visible').length"""
    assert page.evaluate(cut) == 0
    assert not page.is_visible("nav")
    page.close()
