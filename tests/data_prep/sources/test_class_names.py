"""Which class a name in the data means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from shapely import box as box_of

from data_prep.sources.class_names import NO_CLASS, ClassNames, class_number
from data_prep.sources.outlines import Outline, spell_counts
from data_prep.sources.region_maps import read_class_map
from data_prep.sources.regions import read_regions
from gastric_keras.support.errors import InputError
from tests.helpers.small_pictures import box, feature

CLASSES = ("background", "epithelium", "stroma")


def _find(name: str | None, *texts: str, **labels: str) -> tuple[int | None, str]:
    names = ClassNames(CLASSES, labels)
    found, guess = names.find(Outline(name, box_of(0, 0, 1, 1), texts))
    return names.number(found), guess


def test_a_class_that_is_mapped_is_taken_as_it_is() -> None:
    assert _find(" Stroma ") == (3, "")
    assert _find("Stroma", "Epithelium") == (3, "")
    # As a Mac spells it, and as all others do.
    assert _find("Dru\u0308se", **{"Dr\u00fcse": "epithelium"}) == (2, "")
    assert _find("Ignore*", **{"Ignore*": "background"}) == (1, "")
    assert _find("Ignore*", **{"ignore*": "hole"}) == (0, "")
    positive = {"Tumor: Positive": "stroma", "Tumor": "epithelium"}
    assert _find("Tumor: Positive", **positive) == (3, "")
    assert _find(None, "Stroma", unclassified="ignore") == (None, "")


def test_an_outline_without_a_class_takes_that_of_its_name() -> None:
    words = "outline without a class read as its name, Gland"
    assert _find(None, "Region 1", "Gland", Gland="epithelium") == (2, words)
    assert _find("LineColor 65280", "Gland", Gland="epithelium") == (2, words)
    with pytest.raises(InputError, match="got 'unclassified'"):
        _find(None, "Region 1")


def test_the_intensity_of_a_stain_does_not_change_the_tissue() -> None:
    for name in ("Stroma: Positive", "stroma: 2+", "Stroma: Positive: 1+"):
        assert _find(name) == (3, f"outline of the class {name} read as " + name[:6])
    # Another derived class may be another tissue.
    with pytest.raises(InputError, match="got 'Stroma: Necrosis'"):
        _find("Stroma: Necrosis")
    with pytest.raises(InputError, match="got 'Positive'"):
        _find("Positive")


def test_what_qupath_ignores_has_no_class() -> None:
    assert _find("Ignore*") == (NO_CLASS, "")
    assert _find("Tumor: Artefact*") == (NO_CLASS, "")
    assert _find("Region*") == (None, "")


@pytest.mark.parametrize("name", ["Tumor: Positive", "no", "0", "Gland ", "#1", "肿瘤"])
def test_the_way_out_works_when_it_is_pasted(name: str) -> None:
    with pytest.raises(InputError) as error:
        class_number(name, CLASSES)
    advice = str(error.value).split("labels: ")[1].split(", or leave")[0]
    labels = yaml.safe_load(advice)
    assert class_number(name, CLASSES, labels) == 1


def test_ignored_pixels_are_not_unannotated(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    parts = [
        feature("Necrosis", [box(0, 0, 1, 1)]),
        feature("stroma", [box(1, 0, 2, 1)]),
    ]
    path.write_text(json.dumps(parts))
    for unannotated, wanted in ((None, [0, 3, 0]), ("background", [0, 3, 1])):
        drawn = read_class_map(
            path,
            (1, 3),
            classes=CLASSES,
            labels={"necrosis": "ignore"},
            unannotated=unannotated,
        )
        assert drawn.tolist() == [wanted]
    regions = read_regions(path, classes=CLASSES, labels={"Necrosis": "ignore"})
    assert (len(regions.drawn), len(regions.left_out)) == (1, 1)


def test_kinds_are_spelled_with_their_numbers() -> None:
    counts = {"line": 1, "detection": 3, "outline at z=2": 2}
    assert spell_counts(counts) == "3 detections, 1 line, 2 outlines at z=2"
    assert spell_counts({}) == ""
