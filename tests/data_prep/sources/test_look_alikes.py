"""Masks, small views, copies, and region maps of two pictures are told or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.config.sets import SourceConfig
from data_prep.sources.image_source import ImageSource
from data_prep.sources.look_alikes import check_names, count_unused_maps
from gastric_keras.records.ledger import Ledger


def _warnings(*paths: str) -> list[str]:
    ledger = Ledger()
    check_names(paths, "in", ledger)
    return ledger.warnings


@pytest.mark.parametrize(
    "name",
    [
        *("a_mask.png", "a-mask1.png", "a_seg.tif", "a.overlay.png", "a (1).png"),
        *("a - Copy.png", "a - Kopie (2).png", "Copy of a.png", "a_thumbnail.jpg"),
        *("thumbs/x.png", "Masks/x.png", "mask_a.png", "a_gt.png", "a_labels.png"),
    ],
)
def test_masks_and_copies_beside_their_picture_are_told(name: str) -> None:
    (text,) = _warnings("b/a.png", f"b/{name}")
    assert text.startswith(f"1 pictures in in look like masks, small views or copies "
                           f"of others: b/{name}.")  # fmt: skip


def test_names_of_their_own_are_not_told() -> None:
    assert not _warnings(
        "b/a_mask.png", "c/a.png", "b/a2.png", "b/damask.png", "b/d.png"
    )


def test_pictures_that_differ_in_their_suffix_are_told() -> None:
    (text,) = _warnings("b/a.png", "b/a.tif", "c/a.png", "b/a.png")
    assert text.startswith("1 times pictures in in differ in their suffix alone: ")
    assert "b/a.png and b/a.tif." in text


def test_a_map_belongs_to_one_picture_and_others_are_counted(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    for name in ("a.geojson", "b.geojson", "c.xml", "d.txt"):
        (maps / name).touch()
    source = SourceConfig(images=str(tmp_path), annotations=str(maps))
    images = [
        ImageSource(tmp_path / f"{name}.png", f"{name}.png", name, annotation=path)
        for name, path in (("a", maps / "a.geojson"), ("b", maps / "b.geojson"))
    ]
    ledger = Ledger()
    count_unused_maps(source, images, (".geojson", ".xml"), ledger)
    assert ledger.left_out == {"region maps of no picture": 1}
