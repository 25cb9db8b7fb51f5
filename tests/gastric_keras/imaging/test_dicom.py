"""DICOM pictures, written by pydicom."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gastric_keras.imaging import dicom_decoders, native
from gastric_keras.imaging.dicom import COLORS_OF_STREAM, decode_dicom
from gastric_keras.imaging.dicom_gray import WINDOW_IGNORED
from gastric_keras.imaging.images import (
    MAX_PIXELS,
    Decoded,
    UnusableImage,
    decode,
    is_stored_as_is,
    read_image,
)
from gastric_keras.imaging.stored import NEARLY_BLACK, PROFILE_IGNORED
from gastric_keras.support.errors import InputError
from tests.helpers.odd_pictures import (
    EXPLICIT,
    IMPLICIT,
    JPEG,
    skip_without_tensorflow_io,
    write_dicom,
)
from tests.helpers.small_pictures import noise


@pytest.fixture(params=["tensorflow-io", "pydicom"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either decoder alone: the other one is not there."""
    # Nothing else in the file may need what is hidden: pydicom also writes the files.
    if request.param == "pydicom":
        monkeypatch.setattr(native, "find_tensorflow_io", lambda: (None, "hidden"))
    else:
        skip_without_tensorflow_io()
        monkeypatch.setattr(dicom_decoders, "decode_pydicom", _refuse)


def _refuse(data: bytes) -> npt.NDArray[Any]:
    raise NotImplementedError("hidden by the test")


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_rgb_returns_every_pixel(tmp_path: Path, decoder: None, syntax: str) -> None:
    pixels = noise(0, 5, 7)
    path = write_dicom(tmp_path / "a.dcm", pixels, "RGB", syntax=syntax)
    np.testing.assert_array_equal(read_image(path), pixels)
    assert not is_stored_as_is(path.read_bytes())


def test_grey_becomes_three_channels(tmp_path: Path, decoder: None) -> None:
    grey = np.array([[0, 1, 10], [128, 254, 255]], np.uint8)
    path = write_dicom(tmp_path / "a.dcm", grey, "MONOCHROME2")
    image = read_image(path)
    np.testing.assert_array_equal(image, np.repeat(grey[..., None], 3, axis=2))
    path = write_dicom(tmp_path / "b.dcm", grey, "MONOCHROME1")
    np.testing.assert_array_equal(read_image(path)[..., 0], 255 - grey)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_pixels_are_scaled_by_the_stored_depth(
    tmp_path: Path, decoder: None, bits: int
) -> None:
    top = 2**bits - 1
    grey = np.array([[0, top // 3, top]], np.uint16)
    path = write_dicom(tmp_path / "a.dcm", grey, "MONOCHROME2", bits=bits)
    assert read_image(path)[0, :, 0].tolist() == [0, 85, 255]
    path = write_dicom(tmp_path / "b.dcm", grey, "MONOCHROME1", bits=bits)
    assert read_image(path)[0, :, 0].tolist() == [255, 170, 0]


def test_jpeg_inside_dicom_is_rgb(tmp_path: Path, decoder: None) -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    path = write_dicom(tmp_path / "a.dcm", red, "YBR_FULL_422", syntax=JPEG)
    assert np.abs(read_image(path).astype(int) - red).max() <= 3


def test_what_is_assumed_of_a_picture_is_told(tmp_path: Path, decoder: None) -> None:
    pixels = noise(0, 16, 16)

    def notes(name: str, *args: Any, **options: Any) -> tuple[str, ...]:
        path = write_dicom(tmp_path / name, *args, **options)
        return decode(path.read_bytes(), name=name).notes

    assert notes("a.dcm", pixels, "RGB") == ()
    profile = b"\0" * 128 + b"of the scanner"
    assert notes("b.dcm", pixels, "RGB", ICCProfile=profile) == (PROFILE_IGNORED,)
    assert notes("c.dcm", pixels, "RGB", ICCProfile=b"\0" * 128 + b"sRGB  ") == ()
    dim = (pixels[..., 0].astype(np.uint16) << 4) | 1
    assert notes("d.dcm", dim, "MONOCHROME2") == (NEARLY_BLACK,)
    assert notes("e.dcm", dim, "MONOCHROME2", bits=12) == ()
    # YCbCr as JPEG has it, and a header that says RGB.
    assert notes("f.dcm", pixels, "RGB", syntax=JPEG) == (COLORS_OF_STREAM,)


def test_gray_is_shown_as_the_header_says_or_refused(
    tmp_path: Path, decoder: None
) -> None:
    grey = np.array([[0, 1, 10], [128, 254, 255]], np.uint8)

    def read(name: str, photometric: str, **elements: Any) -> Decoded:
        path = write_dicom(tmp_path / name, grey, photometric, **elements)
        return decode(path.read_bytes(), name=name)

    inverse = {"PresentationLUTShape": "INVERSE"}
    plain = read("a.dcm", "MONOCHROME2", PresentationLUTShape="IDENTITY")
    assert plain.pixels[..., 0].tolist() == grey.tolist() and not plain.notes
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        found = read("b.dcm", photometric, **inverse).pixels[..., 0]
        assert found.tolist() == (255 - grey).tolist(), photometric
    window = read("c.dcm", "MONOCHROME2", WindowCenter=60, WindowWidth=40)
    assert window.pixels[..., 0].tolist() == grey.tolist()
    assert window.notes == (WINDOW_IGNORED,)
    assert not read("d.dcm", "MONOCHROME2", WindowCenter=128, WindowWidth=256).notes
    # Of these the decoders make white, or other numbers.
    with pytest.raises(UnusableImage, match="stand for themselves.*rescale_slope=2"):
        read("e.dcm", "MONOCHROME2", RescaleSlope=2, RescaleIntercept=-10)
    read("f.dcm", "MONOCHROME2", RescaleSlope=1, RescaleIntercept=0)


def test_what_is_no_single_picture_says_why(tmp_path: Path, decoder: None) -> None:
    path = write_dicom(tmp_path / "frames.dcm", noise(0, 4, 4), "RGB", frames=2)
    with pytest.raises(UnusableImage, match=r"one frame.*frames=2.*'\.\[slides\]'"):
        read_image(path)
    signed = np.array([[-5, 5]], np.int16)
    path = write_dicom(tmp_path / "signed.dcm", signed, "MONOCHROME2")
    with pytest.raises(UnusableImage, match="unsigned.*is_signed=True"):
        read_image(path)
    path = write_dicom(tmp_path / "large.dcm", noise(0, 10, 20), "RGB")
    with pytest.raises(UnusableImage, match="at most 199 pixels.*size='20×10'"):
        read_image(path, max_pixels=199)


@pytest.mark.parametrize("syntax", [EXPLICIT, JPEG])
def test_a_file_cut_short_is_no_picture(
    tmp_path: Path, decoder: None, syntax: str
) -> None:
    # DCMTK alone would give a picture whose lower part is black.
    path = write_dicom(tmp_path / "a.dcm", noise(0, 64, 64), "RGB", syntax=syntax)
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    with pytest.raises(UnusableImage, match="It is cut short"):
        read_image(path)


def test_what_no_decoder_knows_is_unusable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_dicom(tmp_path / "a.dcm", noise(0, 16, 16), "RGB", syntax=JPEG)
    data = path.read_bytes().replace(b"\xff\xd8\xff", b"\x00\x00\x00")
    path.write_bytes(data)
    with pytest.raises(UnusableImage, match="can decode, got path=.*a.dcm"):
        read_image(path)
    with pytest.raises(InputError, match="DICM at its byte 128.*path='b'"):
        decode_dicom(b"no picture", name="b", max_pixels=MAX_PIXELS)
    skip_without_tensorflow_io()
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(UnusableImage, match="InvalidArgumentError: Error loading"):
        read_image(path)
