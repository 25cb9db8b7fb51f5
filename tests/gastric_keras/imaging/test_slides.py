"""Regions out of pictures and slides, and the tissue on the glass."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from gastric_keras.imaging import slides
from gastric_keras.imaging.images import UnusableImage
from gastric_keras.imaging.slides import ArrayPicture, is_slide, open_picture
from gastric_keras.imaging.stored import PROFILE_IGNORED
from gastric_keras.imaging.tissue import tissue_mask, tissue_share
from gastric_keras.support.errors import InputError
from tests.helpers.small_pictures import noise, write_picture, write_slide


def test_an_ordinary_picture_is_read_whole(tmp_path: Path) -> None:
    pixels = noise(0, 20, 30)
    path = write_picture(tmp_path / "a.png", pixels)
    with open_picture(path) as picture:
        assert not picture.is_slide and picture.mpp == 0
        assert picture.shape == (20, 30)
        assert picture.data == path.read_bytes()
        np.testing.assert_array_equal(picture.read(3, 5, 10, 8), pixels[5:13, 3:13])
        mean = pixels[4:12, 2:10].reshape(4, 2, 4, 2, 3).mean(axis=(1, 3))
        small = picture.read(2, 4, 8, 8, size=4)
        assert np.abs(small - mean).max() <= 0.5
    with pytest.raises(UnusableImage, match="at most 599 pixels"):
        open_picture(path, max_pixels=599)
    with pytest.raises(UnusableImage, match="A picture must be a file.*none.png"):
        open_picture(tmp_path / "none.png")


def test_a_slide_gives_its_pixels_by_regions(tmp_path: Path) -> None:
    pixels = noise(0, 200, 300)
    with open_picture(write_slide(tmp_path / "a.tif", pixels)) as slide:
        assert slide.is_slide and slide.data is None
        assert slide.shape == (200, 300)
        assert slide.mpp == pytest.approx(0.5, rel=1e-4)
        np.testing.assert_array_equal(slide.read(7, 50, 100, 60), pixels[50:110, 7:107])


def test_a_smaller_region_comes_from_the_best_level(tmp_path: Path) -> None:
    # Levels of every second pixel, which no mean of areas equals: they tell which
    # level was read.
    pixels = noise(0, 256, 256)
    path = write_slide(tmp_path / "a.tiff", pixels, levels=3)
    with open_picture(path) as slide:
        np.testing.assert_array_equal(
            slide.read(64, 0, 128, 128, size=64), pixels[:128:2, 64:192:2]
        )
        np.testing.assert_array_equal(
            slide.read(64, 0, 128, 128, size=32), pixels[:128:4, 64:192:4]
        )
        from_full = slide.read(0, 0, 128, 128, size=96)
        wanted = slides.resize(pixels[:128, :128], 96)
        np.testing.assert_array_equal(from_full, wanted)


def test_transparent_parts_of_a_slide_are_white(tmp_path: Path) -> None:
    path = write_slide(tmp_path / "a.tif", np.zeros((128, 128, 3), np.uint8))
    with open_picture(path) as slide:
        beyond = slide.read(100, 0, 64, 10)
    assert (beyond[:, :28] == 0).all() and (beyond[:, 28:] == 255).all()


def test_a_slide_may_exceed_the_limit_but_a_region_may_not(tmp_path: Path) -> None:
    path = write_slide(tmp_path / "a.tif", noise(0, 128, 128))
    with open_picture(path, max_pixels=1000) as slide:
        assert slide.read(0, 0, 40, 25).shape == (25, 40, 3)
        with pytest.raises(UnusableImage, match="at most 1000 pixels.*size=41×25"):
            slide.read(0, 0, 41, 25)


def test_mpp_of_a_screen_is_unknown_and_oblong_pixels_are_refused(
    tmp_path: Path,
) -> None:
    screen = write_slide(tmp_path / "a.tif", noise(0, 128, 128), mpp=(352.8, 352.8))
    with open_picture(screen) as slide:
        assert slide.mpp == 0
    silent = write_slide(tmp_path / "b.tif", noise(0, 128, 128), mpp=None)
    with open_picture(silent) as slide:
        assert slide.mpp == 0
    oblong = write_slide(tmp_path / "c.tif", noise(0, 128, 128), mpp=(0.5, 1.0))
    with pytest.raises(UnusableImage, match="must be square.*mpp-x=0.5"):
        open_picture(oblong)


def test_what_is_a_slide(tmp_path: Path) -> None:
    pixels = noise(0, 128, 128)
    assert is_slide(tmp_path / "none.SVS")
    assert not is_slide(write_picture(tmp_path / "a.png", pixels))
    Image.fromarray(pixels).save(tmp_path / "plain.tif")
    assert not is_slide(tmp_path / "plain.tif")
    assert not is_slide(write_slide(tmp_path / "tiled.tif", pixels, levels=1))
    assert is_slide(write_slide(tmp_path / "pyramid.tif", pixels))
    assert not is_slide(tmp_path / "none.tif")


def test_a_huge_tiled_tiff_is_a_slide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_slide(tmp_path / "tiled.tif", noise(0, 128, 128), levels=1)
    monkeypatch.setattr(slides, "MAX_PIXELS", 1000)
    assert is_slide(path)


def test_a_tile_that_no_memory_holds_is_refused(tmp_path: Path) -> None:
    """OpenSlide ends the process where it finds no room for one."""
    tifffile = pytest.importorskip("tifffile")
    path = write_slide(tmp_path / "a.tif", noise(0, 128, 128))
    with tifffile.TiffFile(path) as stream:
        tags = [stream.pages[0].tags[name] for name in ("TileWidth", "TileLength")]
    data = bytearray(path.read_bytes())
    for tag in tags:
        # Of an entry of 12 bytes: kind (4: 32 bits), count, value.
        data[tag.offset + 2 : tag.offset + 12] = struct.pack("<HII", 4, 1, 2**20)
    path.write_bytes(data)
    with pytest.raises(
        UnusableImage, match="tile=1048576×1048576. Copy the slide again"
    ):
        slides.SlidePicture(path)


def test_levels_of_another_shape_are_refused(tmp_path: Path) -> None:
    """One flipped bit in the height: millions of rows that are not there."""
    tifffile = pytest.importorskip("tifffile")
    path = write_slide(tmp_path / "a.tif", noise(0, 128, 128))
    with tifffile.TiffFile(path) as stream:
        tag = stream.pages[0].tags["ImageLength"]
    data = bytearray(path.read_bytes())
    data[tag.offset + 2 : tag.offset + 12] = struct.pack("<HII", 4, 1, 128 + 2**24)
    path.write_bytes(data)
    with pytest.raises(UnusableImage, match="the same picture.*level=1 of 64×64. Co"):
        slides.SlidePicture(path)


def test_a_pyramid_that_is_to_be_turned_is_refused(tmp_path: Path) -> None:
    # OpenSlide and QuPath show it as stored; without its pyramid it would be turned.
    pixels = noise(0, 128, 128)
    for orientation in (1, 3, 6):
        tag = (274, 3, 1, orientation, True)
        path = write_slide(tmp_path / f"{orientation}.tif", pixels, extratags=[tag])
        if orientation == 1:
            open_picture(path).close()
            continue
        with pytest.raises(
            UnusableImage, match=f"got path=.*orientation={orientation}"
        ):
            open_picture(path)


def test_the_color_profile_of_a_scanner_is_told(tmp_path: Path) -> None:
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    other = srgb.replace(b"sRGB", b"scan").replace(b"s\0R\0G\0B", b"s\0c\0a\0n")
    for profile, notes in ((srgb, ()), (other, (PROFILE_IGNORED,))):
        tag = (34675, 7, len(profile), profile, True)
        path = write_slide(tmp_path / "a.tif", noise(0, 128, 128), extratags=[tag])
        with open_picture(path) as picture:
            assert picture.is_slide and picture.notes == notes


def test_a_damaged_slide_is_unusable(tmp_path: Path) -> None:
    pytest.importorskip("openslide", reason="the slides extra is not installed")
    (tmp_path / "a.svs").write_bytes(b"no slide")
    with pytest.raises(UnusableImage, match="whole slide.*got path=.*a.svs"):
        open_picture(tmp_path / "a.svs")
    with pytest.raises(UnusableImage, match="missing.*Copy it again"):
        open_picture(tmp_path / "none.svs")


def test_damage_inside_a_slide_is_found_when_it_is_read(tmp_path: Path) -> None:
    path = write_slide(tmp_path / "a.tif", noise(0, 256, 256))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UnusableImage, match="a.tif"):
        with slides.SlidePicture(path) as slide:
            slide.read(0, 0, 256, 256)


def test_without_openslide_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openslide", None)
    with pytest.raises(InputError, match=r"got path=.*a.svs.*'\.\[slides\]'"):
        open_picture(tmp_path / "a.svs")
    Image.fromarray(noise(0)).save(tmp_path / "plain.tif")
    with open_picture(tmp_path / "plain.tif") as picture:
        assert not picture.is_slide


def test_an_overview_in_bands_equals_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = noise(0, 256, 192)
    with open_picture(write_slide(tmp_path / "a.tif", pixels, levels=1)) as picture:
        assert not picture.is_slide
        whole = picture.overview(64)
    with slides.SlidePicture(tmp_path / "a.tif") as slide:
        np.testing.assert_array_equal(slide.overview(64), whole)
        monkeypatch.setattr(slides, "_BAND_PIXELS", 5000)
        np.testing.assert_array_equal(slide.overview(64), whole)


def test_bands_of_a_lower_level_start_where_they_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_picture(write_slide(tmp_path / "a.tif", noise(0, 256, 192))) as slide:
        whole = slide.overview(64)
        monkeypatch.setattr(slides, "_BAND_PIXELS", 2000)
        np.testing.assert_array_equal(slide.overview(64), whole)


def test_a_dicom_slide_is_read_by_frames(tmp_path: Path) -> None:
    import pydicom

    pytest.importorskip("openslide", reason="the slides extra is not installed")
    frames, pixels = [], np.zeros((256, 256, 3), np.uint8)
    for number, color in enumerate([(200, 0, 0), (0, 200, 0), (0, 0, 200), (9, 9, 9)]):
        top, left = 128 * (number // 2), 128 * (number % 2)
        pixels[top : top + 128, left : left + 128] = color
        stream = io.BytesIO()
        Image.new("RGB", (128, 128), color).save(stream, "JPEG", quality=95)
        frames.append(stream.getvalue())
    path = tmp_path / "a.dcm"
    _dicom_slide(pydicom, frames).save_as(path, enforce_file_format=True)
    with open_picture(path) as slide:
        assert slide.is_slide and slide.shape == (256, 256) and slide.mpp == 0.5
        read = slide.read(64, 32, 160, 200)
        assert np.abs(read.astype(int) - pixels[32:232, 64:224]).max() <= 3


def _dicom_slide(pydicom: Any, frames: list[bytes]) -> Any:
    """Frames of 128 px, two by two, as a microscope for whole slides writes them."""
    uid, dataset_of = pydicom.uid, pydicom.Dataset
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = uid.VLWholeSlideMicroscopyImageStorage
    meta.MediaStorageSOPInstanceUID = uid.UID("1.2.3.4")
    meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    slide = dataset_of()
    slide.file_meta = meta
    slide.SOPClassUID = meta.MediaStorageSOPClassUID
    slide.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    slide.Modality = "SM"
    slide.StudyInstanceUID = uid.UID("1.2.3.5")
    slide.SeriesInstanceUID = uid.UID("1.2.3.6")
    slide.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    slide.Rows = slide.Columns = 128
    slide.TotalPixelMatrixColumns = slide.TotalPixelMatrixRows = 256
    slide.NumberOfFrames = len(frames)
    slide.SamplesPerPixel, slide.PlanarConfiguration = 3, 0
    slide.PhotometricInterpretation = "YBR_FULL_422"
    slide.BitsAllocated = slide.BitsStored = 8
    slide.HighBit, slide.PixelRepresentation = 7, 0
    slide.DimensionOrganizationType = "TILED_FULL"
    slide.TotalPixelMatrixFocalPlanes = slide.NumberOfOpticalPaths = 1
    optics, measures, groups = dataset_of(), dataset_of(), dataset_of()
    optics.OpticalPathIdentifier = "1"
    slide.OpticalPathSequence = [optics]
    measures.PixelSpacing = [0.0005, 0.0005]
    groups.PixelMeasuresSequence = [measures]
    slide.SharedFunctionalGroupsSequence = [groups]
    slide.PixelData = pydicom.encaps.encapsulate(frames)
    slide["PixelData"].is_undefined_length = True
    return slide


def _glass(height: int = 100, width: int = 200) -> npt.NDArray[np.uint8]:
    """Nearly white, with the noise of a camera."""
    rng = np.random.default_rng(0)
    return np.clip(rng.normal(240, 2, (height, width, 3)), 0, 255).astype(np.uint8)


def test_tissue_is_parted_from_glass() -> None:
    pixels = _glass()
    pixels[20:80, 40:120] = (200, 120, 180)
    pixels[40:45, 60:65] = 240  # a hole
    pixels[90:93, 150:153] = (200, 120, 180)  # a speck
    pixels[30:50, 160:180] = 30  # dark and grey
    truth = np.zeros((100, 200), bool)
    truth[20:80, 40:120] = truth[30:50, 160:180] = True
    mask, downsample = tissue_mask(ArrayPicture(pixels))
    assert downsample == 1
    # The median rounds the corners.
    assert (mask != truth).sum() < 30
    small, downsample = tissue_mask(ArrayPicture(pixels), max_side=100)
    assert small.shape == (50, 100) and downsample == 2


def test_glass_alone_and_tissue_alone_are_not_parted_by_noise() -> None:
    assert not tissue_mask(ArrayPicture(_glass()))[0].any()
    grey = (_glass() * 0.8).astype(np.uint8)
    assert not tissue_mask(ArrayPicture(grey))[0].any()
    tissue = _glass() - np.array([30, 100, 50], np.uint8)
    tissue[:, :100] -= np.array([40, 80, 20], np.uint8)
    assert tissue_mask(ArrayPicture(tissue))[0].all()


def test_tissue_share_counts_parts_of_pixels() -> None:
    mask = np.zeros((4, 6), bool)
    mask[:, :3] = True
    origins = np.array([[0, 0], [2, 0], [3, 2], [1, 0]])
    shares = tissue_share(mask, 1.0, origins, 2)
    np.testing.assert_allclose(shares, [1, 0.5, 0, 1])
    # One px of the mask spans 10 of the picture: tissue ends at x=30.
    origins = np.array([[25, 0], [24, 7], [40, 0], [0, 15]])
    shares = tissue_share(mask, 10.0, origins, 20)
    np.testing.assert_allclose(shares, [0.25, 0.3, 0, 1])
    assert tissue_share(mask, 1.0, np.zeros((0, 2), np.int64), 2).shape == (0,)


@pytest.mark.shared
def test_real_slides_read_as_openslide_reads_them(shared_data: Path) -> None:
    openslide = pytest.importorskip("openslide")
    shapes = {
        "CMU-1-Small-Region": (2967, 2220),
        "TCGA-CR-7395-01A-01-TS1": (3567, 4443),
    }
    for name, shape in shapes.items():
        path = shared_data / "slides" / f"{name}.svs"
        with open_picture(path) as slide, openslide.OpenSlide(path) as reference:
            assert slide.shape == shape
            assert slide.mpp == pytest.approx(0.499 if "CMU" in name else 0)
            wanted = reference.read_region((1000, 1200), 0, (256, 200)).convert("RGB")
            read = slide.read(1000, 1200, 256, 200)
            np.testing.assert_array_equal(read, np.asarray(wanted))
            # The lower level was compressed by itself: its means agree, px do not.
            small = slide.read(1000, 1200, 512, 512, size=256).astype(float)
            full = slides.resize(slide.read(1000, 1200, 512, 512), 256)
            assert np.abs(small - full).mean() < 8
            assert np.abs((small - full).mean(axis=(0, 1))).max() < 1
            mask, downsample = tissue_mask(slide)
            assert 0.2 < mask.mean() < 0.8
            corner = np.array([[0, 0]])
            if "CMU" in name:
                assert tissue_share(mask, downsample, corner + 100, 256)[0] == 0
