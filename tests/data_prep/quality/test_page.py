"""The page of a set: whole in itself, described, and equal for equal sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from data_prep.config.sets import NucleiConfig
from data_prep.quality import page as quality_page
from data_prep.quality.page import PAGE_NAME, write_quality
from gastric_keras.records.manifest import QUALITY_NAME, read_manifest, write_manifest
from gastric_keras.records.schema import PatchRecord
from gastric_keras.support.config_io import to_dict
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json
from tests.data_prep.quality.test_measure import gray, nuclei_set, write_records
from tests.helpers.small_sets import write_small_set

Attributes = list[tuple[str, str | None]]
#: Pictures of a class and split: to reduce their colors is most of the time of a page.
PER_CLASS = 3


@pytest.fixture(scope="module", autouse=True)
def few_pictures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        assert quality_page.PER_CLASS > PER_CLASS
        patch.setattr(quality_page, "PER_CLASS", PER_CLASS)
        yield


class Page(HTMLParser):
    """Tags and pictures of a page."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.text = (folder / PAGE_NAME).read_text(encoding="utf-8")
        self.tags: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self.tags.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))

    def count(self, words: str) -> int:
        return sum(words in (picture["alt"] or "") for picture in self.pictures)


@pytest.fixture(scope="module")
def nuclei(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = nuclei_set(tmp_path_factory.mktemp("quality") / "set")
    write_quality(folder)
    return folder


def test_the_page_stands_alone(nuclei: Path) -> None:
    page = Page(nuclei)
    assert page.pictures
    for picture in page.pictures:
        assert (picture["src"] or "").startswith("data:image/png;base64,")
        assert picture["alt"]
    assert not {"script", "link", "iframe"} & set(page.tags)
    # Base64 has no colon.
    assert "http:" not in page.text and "https:" not in page.text
    assert len(page.text) < 3_000_000


def test_nuclei_are_shown_with_and_without_outlines(nuclei: Path) -> None:
    page = Page(nuclei)
    for name in ("few", "many"):
        outlined = page.count(f"Patch of {name}, case") // 2
        assert outlined == PER_CLASS
    assert page.count("with the outlines of its nuclei") == 2 * PER_CLASS
    assert page.count("Scatter of") == 1
    assert "the line its boundary" in page.text


def test_warnings_come_first_and_are_returned(nuclei: Path) -> None:
    warnings = write_quality(nuclei)
    page = Page(nuclei).text
    assert warnings
    assert read_json(nuclei / QUALITY_NAME)["warnings"] == warnings
    assert page.index("Look before you train on it") < page.index("What is in it")
    assert page.count("outside:") == len(warnings)


def test_equal_sets_give_equal_bytes(nuclei: Path, tmp_path: Path) -> None:
    other = nuclei_set(tmp_path / "another name")
    write_quality(other)
    for name in (QUALITY_NAME, PAGE_NAME):
        assert (other / name).read_bytes() == (nuclei / name).read_bytes()


def test_a_good_set_is_called_so(tmp_path: Path) -> None:
    records = [
        PatchRecord(gray(100 + i // 2), i % 2, f"p{i % 5}", "i", i, 0)
        for i in range(40)
    ]
    folder = write_records(tmp_path / "set", records, ("one", "two"))
    assert write_quality(folder) == []
    page = Page(folder)
    assert "Nothing bad was seen" in page.text
    assert page.count("outlines") == 0


def test_names_out_of_the_data_are_no_markup(tmp_path: Path) -> None:
    records = [
        PatchRecord(gray(100 + i), i % 2, f"<script>{i % 5}", "i", i, 0)
        for i in range(20)
    ]
    folder = write_records(
        tmp_path / "set",
        records,
        ("one", "two"),
        set_aside={"<script>.png": "not a picture & broken"},
    )
    write_quality(folder)
    page = Page(folder)
    assert "script" not in page.tags
    assert "&lt;script&gt;.png" in page.text


def test_a_set_of_one_patch_has_its_page(tmp_path: Path) -> None:
    record = PatchRecord(gray(100), 0, "p", "i", 0, 0)
    folder = write_records(tmp_path / "set", [record], ("one", "two"))
    warnings = write_quality(folder)
    assert any("Class two has 0.0%" in warning for warning in warnings)
    assert "none in train" in Page(folder).text


def test_three_clusters_without_notes_have_their_page(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_small_set(folder, "nuclei", ("a", "b", "c"), per_class={"train": 9})
    config = {"nuclei": to_dict(NucleiConfig())}
    manifest = dataclasses.replace(read_manifest(folder), config=config)
    write_manifest(folder, manifest)
    write_quality(folder)
    assert "no boundary is drawn" in Page(folder).text
    notes = {
        "centers": [[1.0, 1.0], [5.0, 100.0], [9.0, 900.0]],
        "mean": [5.0, 50.0],
        "std": [2.0, 200.0],
        "quality": {
            "silhouette": 0.5,
            "davies_bouldin": 0.5,
            "stability": 1.0,
            "sizes": [9, 9, 9],
        },
    }
    manifest = dataclasses.replace(manifest, config=config | {"clustering": notes})
    write_manifest(folder, manifest)
    write_quality(folder)
    assert "the line its boundary" in Page(folder).text


def test_a_folder_without_a_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="manifest.json was expected. Received"):
        write_quality(tmp_path)
