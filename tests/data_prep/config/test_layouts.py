"""Small copies of the folders of public data sets."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.config.layouts import LAYOUTS, class_of, find_layout, lay_out
from data_prep.config.sets import SourceConfig, TargetSetConfig, TissueSetConfig
from data_prep.sources.class_names import class_number
from data_prep.sources.pictures import ImageSource, Need, read_sources
from data_prep.sources.region_maps import read_class_map
from gastric_keras.support.config_io import build, to_dict
from gastric_keras.support.errors import InputError
from tests.helpers.small_pictures import noise, write_index, write_picture

TISSUES = ("background", "epithelium", "stroma")

#: Names as the archives write them.
FILES = {
    "NCT-CRC-HE-100K": ("ADI/ADI-AAAFLCLY.tif", "NORM/NORM-TCGA-AAICEQFN.tif"),
    "Kather-2016": (
        "01_TUMOR/10009_CRC-Prim-HE-03_009.tif_Row_301_Col_151.tif",
        "08_EMPTY/1A3D_CRC-Prim-HE-02_copy.tif_Row_151_Col_301.tif",
        "06_MUCOSA/1A62_CRC-Prim-HE-05.tif_Row_1201_Col_1501.tif",
    ),
    "GasHisSDB": ("Abnormal/Abnormal-04038.png", "Normal/Normal-07000.png"),
    "HMU-GC-HE-30K": ("all_image/STR/STR_1.png", "all_image/TUM/TUM_1.png"),
    "EBHI-Seg": (
        "Adenocarcinoma/image/GT2012149-1-400-001.png",
        "Adenocarcinoma/image/GTXC2012436-1-400-001.png",
        "Low-grade IN/image/GT2012436-2-400-003.png",
        "Serrated adenoma/image/GTxc2014129-3-400-005.png",
    ),
    "LC25000": (
        "colon_image_sets/colon_aca/colonca1.jpeg",
        "colon_image_sets/colon_n/colonn1.jpeg",
        "lung_image_sets/lung_n/lungn1.jpeg",
    ),
}


def _unpack(root: Path, name: str) -> Path:
    for file in FILES[name]:
        write_picture(root / file, noise(0, 4, 4))
        if "/image/" in file:
            mask = root / file.replace("/image/", "/label/")
            mask.parent.mkdir(exist_ok=True)
            Image.fromarray(np.full((4, 4), 255, np.uint8)).save(mask)
    write_picture(root / "__MACOSX" / "._hidden.png", noise(0, 4, 4))
    return root


def _read(
    root: Path, layout: str, need: Need = "label", **options: object
) -> list[ImageSource]:
    kind = TissueSetConfig if need == "annotation" else TargetSetConfig
    source = SourceConfig(images=str(root), layout=layout, **options)
    ungrouped = source.case_pattern is None
    return read_sources(kind(sources=(source,)), need, allow_ungrouped=ungrouped)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_finds_its_pictures_in_their_classes(
    tmp_path: Path, name: str
) -> None:
    images = _read(_unpack(tmp_path, name), name)
    assert [image.image_id for image in images] == sorted(FILES[name])
    assert all(image.annotation is None and image.split is None for image in images)
    numbers = [class_number(i.label or "", ("benign", "malignant")) for i in images]
    assert {1, 2} >= set(numbers) - {0} != set()


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_says_where_it_comes_from(name: str) -> None:
    layout = find_layout(name)
    assert re.search(r"doi 10\.|arXiv:", layout.citation)
    assert set(layout.target.values()) == {"benign", "malignant"} | (
        {"ignore"} & set(layout.target.values())
    )
    assert set(layout.tissue.values()) <= {*TISSUES, "ignore"}
    assert not layout.tissue or set(layout.tissue) == set(layout.target)


@pytest.mark.parametrize("name", LAYOUTS)
def test_cases_are_told_or_must_be_typed_out(tmp_path: Path, name: str) -> None:
    config = TargetSetConfig(
        sources=(SourceConfig(images=str(_unpack(tmp_path, name)), layout=name),)
    )
    if find_layout(name).case_pattern is None:
        with pytest.raises(InputError) as error:
            read_sources(config, "label")
        assert f"layout={name}, whose file names do not tell" in str(error.value)
        assert "add --allow-ungrouped" in str(error.value)
        images = read_sources(config, "label", allow_ungrouped=True)
        assert not any(image.is_grouped for image in images)
    else:
        assert all(image.is_grouped for image in read_sources(config, "label"))


def test_slides_of_kather_and_cases_of_ebhi(tmp_path: Path) -> None:
    slides = _read(_unpack(tmp_path / "k", "Kather-2016"), "Kather-2016")
    assert [(image.case_id, image.label) for image in slides] == [
        ("CRC-Prim-HE-03", "malignant"),
        ("CRC-Prim-HE-05", "benign"),
        ("CRC-Prim-HE-02", "ignore"),
    ]
    cases = _read(_unpack(tmp_path / "e", "EBHI-Seg"), "EBHI-Seg", name="ebhi")
    assert [(image.case_id, image.label) for image in cases] == [
        ("ebhi/2012149", "malignant"),
        ("ebhi/2012436", "malignant"),
        ("ebhi/2012436", "benign"),
        ("ebhi/2014129", "benign"),
    ]


def test_tissue_patches_carry_the_class_of_their_folder(tmp_path: Path) -> None:
    root = _unpack(tmp_path, "Kather-2016")
    images = _read(root, "Kather-2016", "annotation")
    assert [image.label for image in images] == [
        "epithelium",
        "epithelium",
        "background",
    ]
    assert all(image.annotation is None for image in images)
    own = _read(root, "Kather-2016", "annotation", labels={"08_empty": "ignore"})
    # What the config explains, its own mapping decides.
    assert own[2].label == "08_EMPTY"
    assert class_number(own[2].label, TISSUES, {"08_empty": "ignore"}) == 0


def test_masks_of_ebhi_are_region_maps(tmp_path: Path) -> None:
    root = _unpack(tmp_path, "EBHI-Seg")
    images = _read(root, "EBHI-Seg", "annotation")
    assert [image.annotation for image in images] == [
        Path(str(image.path).replace("/image/", "/label/")) for image in images
    ]
    assert not any(image.label for image in images)
    source = SourceConfig(images=str(root), layout="EBHI-Seg")
    assert images[0].annotation is not None
    drawn = read_class_map(
        images[0].annotation,
        (4, 4),
        classes=TISSUES,
        mask_values=source.mask_values,
    )
    assert (drawn == 2).all() and source.mask_values[0] == "stroma"
    # Two of the published pictures have no mask.
    for image in images[:2]:
        image.annotation.unlink()
    assert len(_read(root, "EBHI-Seg", "annotation")) == 2
    images[2].annotation.unlink()
    with pytest.raises(InputError) as error:
        _read(root, "EBHI-Seg", "annotation")
    assert "Every picture of EBHI-Seg but 2 must have a region map, got" in str(
        error.value
    )
    assert "picture=Low-grade IN/image/" in str(error.value)
    assert len(_read(root, "EBHI-Seg", "label")) == 4


def test_nuclei_sets_read_no_label(tmp_path: Path) -> None:
    images = _read(_unpack(tmp_path, "EBHI-Seg"), "EBHI-Seg", "nothing")
    assert len(images) == 4
    assert not any(image.label or image.annotation for image in images)


def test_tissues_that_folders_do_not_tell_are_refused(tmp_path: Path) -> None:
    root = _unpack(tmp_path, "GasHisSDB")
    with pytest.raises(InputError) as error:
        _read(root, "GasHisSDB", "annotation")
    assert "must tell the classes of a tissue set, got" in str(error.value)
    assert "layout=GasHisSDB. Use NCT-CRC-HE-100K, Kather-2016" in str(error.value)
    own = {"Normal": "ignore", "Abnormal": "epithelium"}
    assert len(_read(root, "GasHisSDB", "annotation", labels=own)) == 2
    assert class_of("GasHisSDB", "Normal", "target") == "benign"


@pytest.mark.parametrize("stray", ["160/Normal/a.png", "Other/a.png", "a.png"])
def test_pictures_in_other_folders_are_refused(tmp_path: Path, stray: str) -> None:
    root = _unpack(tmp_path, "GasHisSDB")
    write_picture(root / stray, noise(0, 4, 4))
    with pytest.raises(InputError) as error:
        list(lay_out("GasHisSDB", root, [stray]))
    assert "must lie in folders among Normal, Abnormal, got images=" in str(error.value)
    assert f"picture={stray}. Set images to one of the folders" in str(error.value)


def test_unknown_layouts_name_the_known_and_the_nearest() -> None:
    with pytest.raises(InputError) as error:
        SourceConfig(layout="NCT-CRC-100k")
    assert "layout must be one of NCT-CRC-HE-100K, Kather-2016, " in str(error.value)
    assert "got 'NCT-CRC-100k'. Did you mean NCT-CRC-HE-100K? " in str(error.value)
    with pytest.raises(InputError, match="got 'zzz'. For other folders, give an index"):
        find_layout("zzz")
    with pytest.raises(InputError, match="an index or a layout.*layout='EBHI-Seg'"):
        SourceConfig(layout="EBHI-Seg", index="index.csv")


def test_a_source_takes_over_what_its_layout_knows() -> None:
    source = SourceConfig(layout="Kather-2016")
    assert (source.mpp, source.case_pattern) == (0.495, r"(CRC-Prim-HE-\d+)")
    assert source.whole_patch_labels and not source.mask_values
    own = SourceConfig(layout="Kather-2016", mpp=0.0, case_pattern="(a)")
    assert (own.mpp, own.case_pattern) == (0.0, "(a)")
    ebhi = SourceConfig(layout="EBHI-Seg", mask_values={0: "ignore", 255: "stroma"})
    assert ebhi.mask_values == {0: "ignore", 255: "stroma"}
    assert ebhi.mpp is None and not ebhi.whole_patch_labels
    for resolved in (source, own, ebhi):
        assert build(SourceConfig, to_dict(resolved)) == resolved


def test_tissue_patches_of_an_index_or_of_plain_folders(tmp_path: Path) -> None:
    write_picture(tmp_path / "stroma" / "p1_a.png", noise(0, 4, 4))
    row = {"path": "stroma/p1_a.png", "case_id": "p1", "label": "Stroma"}
    index = write_index(tmp_path / "index.csv", [row])
    given: tuple[tuple[dict[str, str], str], ...] = (
        ({"index": str(index)}, "Stroma"),
        ({"case_pattern": r"/(p\d)_"}, "stroma"),
    )
    for options, label in given:
        source = SourceConfig(images=str(tmp_path), whole_patch_labels=True, **options)
        config = TissueSetConfig(sources=(source,))
        (image,) = read_sources(config, "annotation")
        assert (image.label, image.case_id) == (label, "p1")
        assert image.annotation is None
    write_index(tmp_path / "index.csv", [{**row, "label": ""}])
    with pytest.raises(InputError, match="must have a path and a label, got .*line 2"):
        source = SourceConfig(
            images=str(tmp_path), index=str(index), whole_patch_labels=True
        )
        read_sources(TissueSetConfig(sources=(source,)), "annotation")


@pytest.mark.shared
def test_real_patches_of_kather(shared_data: Path) -> None:
    root = shared_data / "kather_tiff"
    images = _read(root, "Kather-2016", "annotation")
    assert len(images) == 24
    assert {image.label for image in images} == {*TISSUES, "ignore"}
    assert all(re.fullmatch(r"CRC-Prim-HE-\d\d", i.case_id) for i in images)


@pytest.mark.shared
def test_real_names_of_ebhi_tell_their_case(shared_data: Path, tmp_path: Path) -> None:
    import csv

    pattern = find_layout("EBHI-Seg").case_pattern
    assert pattern is not None
    with open(shared_data / "ebhi" / "index.csv", newline="") as stream:
        for row in csv.DictReader(stream):
            folder, name = Path(row["path"]).name.split("__")
            match = re.search(pattern, f"{folder}/image/{name}")
            assert match and f"case-{match[1]}" == row["case_id"]
