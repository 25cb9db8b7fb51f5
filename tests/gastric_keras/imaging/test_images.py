"""Pictures of every kind that a microscope's software writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.sources.region_maps import read_class_map
from gastric_keras.imaging import colors
from gastric_keras.imaging.images import (
    UnusableImage,
    encode_png,
    is_stored_as_is,
    read_image,
    resize,
)
from gastric_keras.imaging.labels import read_labels
from tests.helpers.odd_pictures import planar_tiff, subsampled_tiff
from tests.helpers.small_pictures import noise, write_picture


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff"])
def test_lossless_formats_return_every_pixel(tmp_path: Path, suffix: str) -> None:
    pixels = noise(1, 5, 7)
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), pixels)


def test_jpeg_is_rgb(tmp_path: Path) -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    Image.fromarray(red).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - red).max() <= 3


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90°
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=95)
    upright = read_image(tmp_path / "a.jpg")
    assert upright.shape == (16, 8, 3)
    assert upright[:6].min() > 200 and upright[-6:].max() < 50
    assert not is_stored_as_is((tmp_path / "a.jpg").read_bytes())


def test_grey_palette_and_alpha_become_rgb(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 2), 7, np.uint8)).save(tmp_path / "grey.png")
    assert read_image(tmp_path / "grey.png").tolist() == [[[7] * 3] * 2] * 2
    Image.fromarray(np.full((2, 2, 3), 9, np.uint8)).convert("P").save(
        tmp_path / "palette.png"
    )
    assert read_image(tmp_path / "palette.png").shape == (2, 2, 3)
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]], np.uint8)
    Image.fromarray(rgba).save(tmp_path / "alpha.png")
    assert read_image(tmp_path / "alpha.png").tolist() == [[[10, 20, 30], [255] * 3]]


def test_16_bits_keep_the_upper_8(tmp_path: Path) -> None:
    import cv2

    Image.fromarray(np.full((2, 2), 0x1234, np.uint16)).save(tmp_path / "grey.png")
    assert (read_image(tmp_path / "grey.png") == 0x12).all()
    Image.fromarray(np.full((2, 2), 0x1234, np.uint16)).save(tmp_path / "grey.tif")
    assert (read_image(tmp_path / "grey.tif") == 0x12).all()
    color = np.full((2, 2, 3), 0x1234, np.uint16)
    cv2.imwrite(str(tmp_path / "color.png"), color)
    assert (read_image(tmp_path / "color.png") == 0x12).all()
    assert not is_stored_as_is((tmp_path / "color.png").read_bytes())


def test_16_bit_color_tiff_keeps_the_upper_8(tmp_path: Path) -> None:
    import tifffile

    color = np.zeros((4, 5, 3), np.uint16)
    color[..., 0] = 0x1234
    tifffile.imwrite(tmp_path / "color.tif", color, photometric="rgb")
    assert read_image(tmp_path / "color.tif")[0, 0].tolist() == [0x12, 0, 0]


def test_16_bit_color_tiff_in_planes_keeps_the_upper_8(tmp_path: Path) -> None:
    # Pillow takes the bytes of one plane for 8-bit pixels.
    pixels = noise(0, 20, 30)
    path = planar_tiff(tmp_path / "a.tif", pixels.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_image(path), pixels)
    assert not is_stored_as_is(path.read_bytes())
    np.testing.assert_array_equal(
        read_image(planar_tiff(tmp_path / "b.tif", pixels)), pixels
    )


def test_subsampled_tiff_without_compression_is_read(tmp_path: Path) -> None:
    path = subsampled_tiff(tmp_path / "a.tif", (200, 120, 180))
    assert read_image(path).shape == (16, 16, 3)
    assert np.abs(read_image(path).astype(int) - (200, 120, 180)).max() <= 2


def test_odd_tiffs_that_are_cut_short_say_so(tmp_path: Path) -> None:
    # tensorflow-io alone would give a picture whose lower part is black.
    path = subsampled_tiff(tmp_path / "a.tif", (200, 120, 180))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnusableImage, match="whole PNG.*a.tif.*cut short"):
        read_image(path)


def test_unusable_pictures_say_why(tmp_path: Path) -> None:
    whole = encode_png(noise(0, 64, 64))
    (tmp_path / "short.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnusableImage, match=r"whole PNG.*, got path=.*short.png"):
        read_image(tmp_path / "short.png")
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(UnusableImage) as error:
        read_image(tmp_path / "text.jpg")
    assert "0x" not in str(error.value), "a memory address makes equal runs differ"
    with pytest.raises(UnusableImage, match="none.png"):
        read_image(tmp_path / "none.png")
    Image.new("CMYK", (4, 4)).save(tmp_path / "print.jpg")
    with pytest.raises(UnusableImage, match="mode=CMYK. Convert it to RGB"):
        read_image(tmp_path / "print.jpg")
    pages = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(UnusableImage, match=r"pages=2.*'\.\[slides\]'"):
        read_image(tmp_path / "pages.tif")
    write_picture(tmp_path / "large.png", noise(0, 10, 20))
    with pytest.raises(UnusableImage, match="at most 199 pixels.*size=20×10"):
        read_image(tmp_path / "large.png", max_pixels=199)
    assert read_image(tmp_path / "large.png", max_pixels=200).shape == (10, 20, 3)


def test_a_truncated_jpeg_is_no_picture(tmp_path: Path) -> None:
    Image.fromarray(noise(0, 64, 64)).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnusableImage, match="truncated"):
        read_image(tmp_path / "a.jpg")


def test_labels_keep_their_values(tmp_path: Path) -> None:
    values = np.array([[0, 1, 255]], np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert read_labels(tmp_path / "a.png").tolist() == [[0, 1, 255]]
    Image.fromarray(np.array([[0, 700]], np.uint16)).save(tmp_path / "b.png")
    assert read_labels(tmp_path / "b.png").tolist() == [[0, 700]]
    palette = Image.fromarray(values)
    palette.putpalette([i // 3 for i in range(768)])
    palette.save(tmp_path / "c.png")
    assert read_labels(tmp_path / "c.png").tolist() == [[0, 1, 255]]
    write_picture(tmp_path / "d.png", np.repeat(values[..., None], 3, axis=2))
    assert read_labels(tmp_path / "d.png").tolist() == [[0, 1, 255]]
    write_picture(tmp_path / "e.png", noise(0, 2, 2))
    with pytest.raises(UnusableImage, match="one channel.*mode=RGB"):
        read_labels(tmp_path / "e.png")


def test_plain_files_are_stored_as_they_are(tmp_path: Path) -> None:
    assert is_stored_as_is(encode_png(noise(0)))
    Image.fromarray(noise(0)).save(tmp_path / "a.jpg")
    assert is_stored_as_is((tmp_path / "a.jpg").read_bytes())
    for mode in ("L", "RGBA"):
        Image.new(mode, (4, 4)).save(tmp_path / "a.png")
        assert not is_stored_as_is((tmp_path / "a.png").read_bytes())
    Image.new("RGB", (4, 4)).save(tmp_path / "a.bmp")
    assert not is_stored_as_is((tmp_path / "a.bmp").read_bytes())


def test_resize_takes_the_mean_of_the_area() -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:2, :2] = [[[0] * 3, [40] * 3], [[80] * 3, [120] * 3]]
    small = resize(pixels, 2)
    assert small[..., 0].tolist() == [[60, 0], [0, 0]]
    assert resize(small, 6).shape == (6, 6, 3)


@pytest.mark.shared
def test_real_tiffs_are_read(shared_data: Path) -> None:
    paths = sorted((shared_data / "kather_tiff").rglob("*.tif*"))
    assert len(paths) == 24
    for path in paths:
        assert read_image(path).shape == (150, 150, 3)


def test_a_png_with_a_wrong_checksum_is_stored_anew(tmp_path: Path) -> None:
    data = encode_png(np.zeros((4, 4, 3), np.uint8))
    assert is_stored_as_is(data)
    # Behind the pixels Pillow looks no more; TensorFlow would refuse it in training.
    damaged = data[:-1] + bytes([data[-1] ^ 1])
    assert not is_stored_as_is(damaged)
    assert not is_stored_as_is(data[:-12])
    path = tmp_path / "damaged.png"
    path.write_bytes(damaged)
    assert read_image(path).shape == (4, 4, 3)


def test_a_raised_limit_holds_for_masks_and_for_what_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gastric_keras.imaging.images.MAX_PIXELS", 10)
    monkeypatch.setattr("data_prep.sources.region_maps.MAX_PIXELS", 10)
    path = write_picture(tmp_path / "large.png", np.zeros((8, 8, 3), np.uint8))
    assert is_stored_as_is(path.read_bytes())
    assert read_class_map(path, (8, 8), classes=("a", "b"), mask_values={0: "a"}).all()


def test_a_picture_is_laid_over_white_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    rgba = np.random.default_rng(0).integers(0, 256, (37, 5, 4), dtype=np.uint8)
    whole = colors.over_white(rgba)
    opaque, clear = rgba.copy(), rgba.copy()
    opaque[..., 3], clear[..., 3] = 255, 0
    np.testing.assert_array_equal(colors.over_white(opaque), rgba[..., :3])
    assert (colors.over_white(clear) == 255).all()
    monkeypatch.setattr(colors, "_BAND_PIXELS", 40)
    np.testing.assert_array_equal(colors.over_white(rgba), whole)
