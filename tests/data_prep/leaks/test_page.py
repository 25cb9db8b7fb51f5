"""The page says all that was found, shows both sides, and hides no total."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from data_prep.__main__ import main
from data_prep.leaks.contents import read_contents
from data_prep.leaks.find import find_leaks
from data_prep.leaks.page import write_page
from gastric_keras.imaging.images import encode_png
from gastric_keras.records.schema import PatchRecord
from gastric_keras.support.errors import InputError
from tests.data_prep.leaks.test_find import picture, record, write_records


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set with leaks of all five kinds between train and test."""
    train = [record(f"a{seed}", encode_png(picture(seed))) for seed in range(8)]
    turned = [encode_png(np.rot90(picture(seed))) for seed in range(6)]
    test = [record(f"b{seed}", data) for seed, data in enumerate(turned)]
    test.append(record("same", encode_png(picture(7))))
    # Equal case and image, another place that overlaps; a name that is no HTML.
    name = "<b>&slide"
    train.append(record(name, encode_png(picture(20)), x=0))
    test.append(record(name, encode_png(picture(21)), x=50))
    return write_records(tmp_path / "set", {"train": train, "test": test})


class _Reader(HTMLParser):
    """Collects what a page names: pictures, addresses and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def _read(path: Path) -> _Reader:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def test_the_page_shows_every_pair_and_needs_no_other_file(folder: Path) -> None:
    from PIL import Image

    contents = read_contents(folder)
    leaks = find_leaks(contents)
    kinds = {leak.kind: leak.count for leak in leaks}
    assert kinds == {
        "case": 1,
        "image": 1,
        "overlap": 1,
        "pixels": 1,
        "perceptual": 6,
    }
    page = _read(write_page(folder.parent / "leaks.html", leaks, contents))
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(images) == 2 * 10
    for attrs in images:
        assert attrs["alt"] and attrs["alt"].startswith("Patch ")
        head, _, data = (attrs["src"] or "").partition(",")
        assert head == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as opened:
            assert opened.size == (96, 96)
    for kind, count in kinds.items():
        assert re.search(rf"{kind}: {count}\n", page.text)
    for text in ("case of <b>&slide", "a3.png@0,0", "b3.png@0,0", str(folder)):
        assert text in page.text
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "b>&slide")]
    raw = (folder.parent / "leaks.html").read_text()
    assert "http" not in raw and "prefers-color-scheme: dark" in raw


def test_the_cap_says_the_total_and_hides_no_pair_of_sides(folder: Path) -> None:
    train = [record(f"c{seed}", encode_png(picture(seed))) for seed in range(6)]
    other = write_records(folder.parent / "other", {"train": train})
    contents = [side for path in (folder, other) for side in read_contents(path)]
    leaks = find_leaks(contents)
    page = _read(write_page(folder.parent / "p.html", leaks, contents, most=3))
    assert "perceptual: 12" in page.text
    assert "The first\n3 of 12 are shown; all are listed below." in page.text
    # set train = set test, then set test = other train, then the first pair again.
    shown = [a["alt"] or "" for tag, a in page.tags if tag == "img"]
    assert any(f"of {other}, train" in alt for alt in shown[-6:])


def test_no_leak_is_said(tmp_path: Path) -> None:
    records = {
        "train": [record("a", encode_png(picture(0)))],
        "test": [record("b", encode_png(picture(1)))],
    }
    contents = read_contents(write_records(tmp_path / "set", records))
    page = _read(write_page(tmp_path / "leaks.html", [], contents))
    assert "No leak: nothing is shared" in page.text
    assert not [tag for tag, _ in page.tags if tag == "img"]


def test_a_page_needs_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere" / "leaks.html"):
        with pytest.raises(InputError, match=f"got page={path}. Give a file name"):
            write_page(path, [], [])


def test_check_writes_the_page(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = folder.parent / "leaks.html"
    assert main(["check", str(folder), "--page", str(page)]) == 1
    out = capsys.readouterr().out
    assert f"compared: {folder} train: 9 patches of 9 cases and 9 images" in out
    assert "0 flat, left out of perceptual" in out
    assert f"LEAK: {folder} train and {folder} test share 6 × perceptual: " in out
    assert f"page: {page}" in out and "</html>" in page.read_text()
    assert main(["check", str(folder), "--page", str(folder)]) == 2
    assert ", got page=" in capsys.readouterr().err


def test_check_without_a_leak_is_status_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: dict[str, list[PatchRecord]] = {
        "train": [record("a", encode_png(picture(0)))],
        "test": [record("b", encode_png(np.full((96, 96, 3), 240, np.uint8)))],
    }
    folder = write_records(tmp_path / "set", rows)
    assert main(["check", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "No leak" in out and "1 flat" in out
