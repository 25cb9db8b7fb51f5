"""Indexes and folders, good and bad."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.config.sets import ColumnsConfig, SourceConfig, TargetSetConfig
from data_prep.sources.pictures import Need, read_sources
from gastric_keras.support.errors import InputError
from tests.helpers.small_pictures import noise, write_index, write_picture


def _row(path: str, **values: str) -> dict[str, str]:
    return {"path": path, "case_id": "k1", "label": "benign", **values}


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png", "sub/c.png"):
        write_picture(tmp_path / "pictures" / name, noise(0))
    (tmp_path / "pictures" / "a.geojson").write_text("[]")
    return tmp_path / "pictures"


def _source(
    folder: Path, rows: list[dict[str, str]], **options: object
) -> SourceConfig:
    index = write_index(folder / "index.csv", rows)
    return SourceConfig(images=str(folder), index=str(index), **options)


def _read(*sources: SourceConfig, need: Need = "label", **options: bool) -> list:
    return read_sources(TargetSetConfig(sources=sources), need, **options)


def test_an_index_names_pictures_cases_labels_and_splits(folder: Path) -> None:
    rows = [
        {"file": "sub/c.png", "id": "2", "class": "malignant", "fold": "val"},
        {"file": "a.png", "id": "1", "class": "benign", "fold": "train"},
        {"file": "b.png", "id": "3", "class": "benign", "fold": "spare"},
    ]
    source = _source(
        folder,
        rows,
        name="lab",
        columns=ColumnsConfig("file", "id", "class", split="fold"),
        where={"fold": ("train", "val")},
        splits={"val": "validation"},
    )
    first, second = _read(source)
    assert (first.image_id, first.case_id) == ("lab/a.png", "lab/1")
    assert (first.label, first.split) == ("benign", "train")
    assert (second.image_id, second.case_id) == ("lab/sub/c.png", "lab/2")
    assert (second.label, second.split) == ("malignant", "validation")
    assert second.path == folder / "sub/c.png" and second.is_grouped


def test_a_folder_of_classes_names_labels(tmp_path: Path) -> None:
    for name in ("benign/p1_a.png", "malignant/p2_a.png", "malignant/p2_b.png"):
        write_picture(tmp_path / name, noise(0))
    source = SourceConfig(images=str(tmp_path), case_pattern=r"/(p\d+)_")
    assert [(i.label, i.case_id) for i in _read(source)] == [
        ("benign", "p1"),
        ("malignant", "p2"),
        ("malignant", "p2"),
    ]
    with pytest.raises(
        InputError, match="Each path must hold the case, got .*case_pattern='x'"
    ):
        _read(SourceConfig(images=str(tmp_path), case_pattern="x"))
    with pytest.raises(InputError, match="with one group, got"):
        _read(SourceConfig(images=str(tmp_path), case_pattern="p"))


def test_unknown_cases_must_be_typed_out(folder: Path) -> None:
    source = SourceConfig(images=str(folder))
    with pytest.raises(InputError, match="image=a.png.*add --allow-ungrouped"):
        _read(source, need="nothing")
    images = _read(source, need="nothing", allow_ungrouped=True)
    assert [image.case_id for image in images] == ["a.png", "b.png", "sub/c.png"]
    assert not any(image.is_grouped for image in images)
    with pytest.raises(InputError, match="case column='case_id'"):
        _read(_source(folder, [_row("a.png", case_id="")]))


def test_region_maps_are_found_by_name_or_column(folder: Path) -> None:
    maps = folder.parent / "maps"
    maps.mkdir()
    (maps / "c.png").write_bytes(b"")
    found = _read(_source(folder, [_row("a.png")]), need="annotation")
    assert found[0].annotation == folder / "a.geojson"
    by_name = _source(folder, [_row("sub/c.png")], annotations=str(maps))
    assert _read(by_name, need="annotation")[0].annotation == maps / "c.png"
    by_column = _source(
        folder,
        [_row("b.png", map="a.geojson")],
        columns=ColumnsConfig(annotation="map"),
    )
    assert _read(by_column, need="annotation")[0].annotation == folder / "a.geojson"
    missing = _source(folder, [_row("b.png")])
    with pytest.raises(
        InputError, match="map b.geojson, .json, .xml or .png.*got none"
    ):
        _read(missing, need="annotation")
    (folder / "b.xml").write_text("<Annotations/>")
    assert _read(missing, need="annotation")[0].annotation == folder / "b.xml"
    (folder / "a.json").write_text("[]")
    with pytest.raises(InputError, match="got .*a.geojson, .*a.json"):
        _read(_source(folder, [_row("a.png")]), need="annotation")
    nowhere = _source(folder, [_row("a.png")], annotations="nowhere")
    with pytest.raises(InputError, match="annotations=nowhere"):
        _read(nowhere, need="annotation")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([_row("none.png")], "no such file"),
        ([_row("../secret.png")], "must lie inside .*, got path=../secret"),
        ([_row("/etc/hosts")], "must lie inside .*, got path=/etc/hosts"),
        ([_row("a.png"), _row("a.png")], "must be listed once.*2 times"),
        ([_row("a.png"), _row("sub/../a.png")], "must be listed once.*2 times"),
        ([_row("a.png", label="")], "line 2: path='a.png', label=''"),
        ([{"path": "a.png", "case_id": "1"}], "columns label, got"),
        ([{"name": "a.png", "label": "x"}], "with columns name, label. Rename"),
    ],
)
def test_bad_indexes_say_what_to_fix(
    folder: Path, rows: list[dict[str, str]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _read(_source(folder, rows))


def test_splits_of_an_index_are_checked(folder: Path) -> None:
    columns = ColumnsConfig(split="fold")
    odd = _source(folder, [_row("a.png", fold="x")], columns=columns)
    with pytest.raises(InputError, match="fold='x'.*sources.0.splits={x: train}"):
        _read(odd)
    rows = [_row("a.png", fold="train"), _row("b.png", fold="test")]
    with pytest.raises(InputError, match="case=k1 in train and test"):
        _read(_source(folder, rows, columns=columns))
    open_rows = [_row("a.png", fold="train"), _row("b.png", fold="", case_id="k2")]
    splits = [
        image.split for image in _read(_source(folder, open_rows, columns=columns))
    ]
    assert splits == ["train", None]


def test_nothing_to_read_is_an_error(folder: Path) -> None:
    with pytest.raises(InputError, match="sources=()"):
        _read()
    with pytest.raises(InputError, match="images=None. Give --images DIR"):
        _read(SourceConfig())
    with pytest.raises(InputError, match="images=nowhere"):
        _read(SourceConfig(images="nowhere"))
    with pytest.raises(InputError, match="index must be a CSV.*No such file"):
        _read(SourceConfig(images=str(folder), index="nowhere.csv"))
    with pytest.raises(
        InputError, match="label='x' in no row.*where={label: \\[benign\\]}"
    ):
        _read(_source(folder, [_row("a.png")], where={"label": ("x",)}))
    with pytest.raises(InputError, match="columns organ, got"):
        _read(_source(folder, [_row("a.png")], where={"organ": ("x",)}))
    (folder / "bad.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="must be a CSV in UTF-8"):
        _read(SourceConfig(images=str(folder), index=str(folder / "bad.csv")))


def test_two_sources_need_names_where_their_files_agree(tmp_path: Path) -> None:
    sources = []
    for lab in ("x", "y"):
        write_picture(tmp_path / lab / "a.png", noise(0))
        sources.append(_source(tmp_path / lab, [_row("a.png")]))
    with pytest.raises(InputError, match="image_id=a.png, 2 times"):
        _read(*sources)
    named = [
        SourceConfig(images=s.images, index=s.index, name=name)
        for s, name in zip(sources, "xy")
    ]
    images = _read(*named)
    assert [(image.image_id, image.source) for image in images] == [
        ("x/a.png", 0),
        ("y/a.png", 1),
    ]
    assert {image.case_id for image in images} == {"x/k1", "y/k1"}
