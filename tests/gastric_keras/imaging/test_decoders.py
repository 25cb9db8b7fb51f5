"""Every kind of TIFF and DICOM: the same pixels with tensorflow-io and without it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from gastric_keras.imaging import native
from gastric_keras.imaging.images import UnusableImage, read_image
from tests.helpers.odd_pictures import (
    DEFLATED,
    IMPLICIT,
    JPEG,
    JPEG2000,
    RLE,
    lzw,
    packbits,
    planar_tiff,
    planes_of_strips,
    skip_without_tensorflow_io,
    subsampled_tiff,
    write_dicom,
)
from tests.helpers.small_pictures import noise

_Image = npt.NDArray[np.uint8]
COLOR = noise(0, 20, 30)
DEEP = np.random.default_rng(0).integers(0, 2**16, (20, 30, 3), dtype=np.uint16)
PLANES = [plane.tobytes() for plane in np.moveaxis(DEEP, -1, 0)]
#: 16 bits to 8, as libtiff rounds.
ROUNDED = ((DEEP.astype(int) + 128) // 257).astype(np.uint8)
#: JPEG keeps what is smooth.
SMOOTH = np.asarray(
    Image.fromarray(noise(1, 4, 4)).resize((64, 48), Image.Resampling.BICUBIC)
)
REFUSED = None
#: The two decoders must agree, and no more is known; or nearly, since of JPEG every
#: decoder rounds in a way of its own.
AGREED, NEARLY = "agreed", "nearly"


def saved(pixels: npt.NDArray[Any], mode: str = "", **options: Any) -> Callable:
    """A writer: the pixels as Pillow saves them."""

    def write(path: Path) -> object:
        picture = Image.fromarray(pixels)
        picture = picture.convert(mode) if mode else picture
        return picture.save(path, "TIFF", **options)

    return write


def planes(pixels: npt.NDArray[Any] = DEEP, **options: Any) -> Callable:
    return lambda path: planar_tiff(path, pixels, **options)


def strips(compression: int, data: list[bytes], **tags: Any) -> Callable:
    return lambda path: planes_of_strips(path, DEEP, compression, data, **tags)


def dicom(pixels: npt.NDArray[Any], photometric: str, **options: Any) -> Callable:
    return lambda path: write_dicom(path, pixels, photometric, **options)


def pages(path: Path) -> None:
    both = [Image.fromarray(COLOR), Image.fromarray(COLOR)]
    both[0].save(path, "TIFF", save_all=True, append_images=both[1:])


def cut(write: Callable, suffix: int = 20) -> Callable:
    def shorten(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes()[:-suffix])

    return shorten


def grey(values: npt.NDArray[Any]) -> _Image:
    return np.repeat(np.rint(values)[..., None].astype(np.uint8), 3, axis=2)


#: Kind -> writer, and the pixels that are the one right answer.
TIFFS: dict[str, tuple[Callable, Any]] = {
    "plain": (saved(COLOR), COLOR),
    "LZW": (saved(COLOR, compression="tiff_lzw"), COLOR),
    "deflate": (saved(COLOR, compression="tiff_deflate"), COLOR),
    "JPEG": (saved(COLOR, compression="jpeg"), AGREED),
    "grey": (saved(COLOR[..., 0]), grey(COLOR[..., 0])),
    "16-bit grey": (saved(DEEP[..., 0]), grey(DEEP[..., 0] >> 8)),
    "one bit": (saved(COLOR[..., 0] > 127), grey((COLOR[..., 0] > 127) * 255)),
    "palette": (saved(COLOR, "P"), AGREED),
    "alpha": (saved(noise(2, 20, 40).reshape(20, 30, 4)), AGREED),
    "planes of 8 bits": (planes(COLOR), COLOR),
    "planes of 16 bits": (planes(), ROUNDED),
    "planes, big-endian": (planes(byteorder=">"), ROUNDED),
    "planes, BigTIFF": (planes(bigtiff=True), ROUNDED),
    "planes in strips": (planes(rowsperstrip=7), ROUNDED),
    "planes, deflate": (planes(compression="zlib"), ROUNDED),
    "planes, predictor": (planes(compression="zlib", predictor=True), ROUNDED),
    "planes, LZMA": (planes(compression="lzma"), ROUNDED),
    "planes, LZW": (strips(5, [*map(lzw, PLANES)]), ROUNDED),
    "planes, PackBits": (strips(32773, [*map(packbits, PLANES)]), ROUNDED),
    "planes in tiles of 16": (planes(tile=(16, 16)), ROUNDED),
    "planes in tiles of 32": (planes(tile=(32, 32)), ROUNDED),
    "planes in tiles, deflate": (planes(tile=(16, 16), compression="zlib"), ROUNDED),
    "planes without compression, by hand": (strips(1, PLANES), ROUNDED),
    "YCbCr in blocks of 2×2": (subsampled_tiff, AGREED),
    "YCbCr in blocks of 2×1": (
        lambda path: subsampled_tiff(path, block=(2, 1)),
        AGREED,
    ),
    "several pages": (pages, REFUSED),
    "CMYK": (saved(COLOR, "CMYK"), REFUSED),
    "floating point": (saved(COLOR[..., 0].astype(np.float32)), REFUSED),
    "cut short": (cut(saved(COLOR)), REFUSED),
    "planes cut short": (cut(planes()), REFUSED),
    "YCbCr cut short": (cut(subsampled_tiff), REFUSED),
    "planes turned": (strips(1, PLANES, orientation=[6]), np.rot90(ROUNDED, -1)),
    "planes of grey": (strips(1, PLANES, photometric=[1]), REFUSED),
    "planes of an unknown compression": (strips(34712, PLANES), REFUSED),
}
#: Of 12 bits, and what becomes of them.
_TWELVE = DEEP[..., 0] >> 4
_SCALED = _TWELVE * (255 / 4095)
_HALF = noise(3, 20, 20).reshape(20, 20, 3)[:, :20, :2].tobytes()
DICOMS: dict[str, tuple[Callable, Any]] = {
    "RGB": (dicom(COLOR, "RGB"), COLOR),
    "RGB, implicit": (dicom(COLOR, "RGB", syntax=IMPLICIT), COLOR),
    "RGB, deflated": (dicom(COLOR, "RGB", syntax=DEFLATED), COLOR),
    "RGB, RLE": (dicom(COLOR, "RGB", syntax=RLE), COLOR),
    "RGB in planes": (
        dicom(
            COLOR,
            "RGB",
            raw=np.moveaxis(COLOR, -1, 0).tobytes(),
            PlanarConfiguration=1,
        ),
        COLOR,
    ),
    "RGB of 16 bits": (dicom(DEEP, "RGB"), np.rint(DEEP * (255 / 65535))),
    "grey": (dicom(COLOR[..., 0].copy(), "MONOCHROME2"), grey(COLOR[..., 0])),
    "grey turned over": (
        dicom(COLOR[..., 0].copy(), "MONOCHROME1"),
        grey(255 - COLOR[..., 0]),
    ),
    "12 bits": (dicom(_TWELVE, "MONOCHROME2", bits=12), grey(_SCALED)),
    "12 bits turned over": (
        dicom(_TWELVE, "MONOCHROME1", bits=12),
        grey((4095 - _TWELVE) * (255 / 4095)),
    ),
    "12 bits, RLE": (dicom(_TWELVE, "MONOCHROME2", bits=12, syntax=RLE), grey(_SCALED)),
    "12 bits in the upper end": (
        dicom(_TWELVE << 4, "MONOCHROME2", bits=12, HighBit=15),
        grey(_SCALED),
    ),
    "12 bits with a window": (
        dicom(_TWELVE, "MONOCHROME2", bits=12, WindowCenter="9", WindowWidth="5"),
        grey(_SCALED),
    ),
    "YBR": (dicom(COLOR, "YBR_FULL"), AGREED),
    "YBR, RLE": (dicom(COLOR, "YBR_FULL", syntax=RLE), AGREED),
    "YBR of 12 bits": (dicom(DEEP >> 4, "YBR_FULL", bits=12), AGREED),
    "YBR of 16 bits": (dicom(DEEP, "YBR_FULL"), AGREED),
    "YBR by pairs": (dicom(COLOR[:, :20], "YBR_FULL_422", raw=_HALF), AGREED),
    "JPEG": (
        dicom(SMOOTH, "YBR_FULL_422", syntax=JPEG, jpeg={"subsampling": 0}),
        NEARLY,
    ),
    "JPEG with fewer colors": (
        dicom(SMOOTH, "YBR_FULL_422", syntax=JPEG, jpeg={"subsampling": 1}),
        NEARLY,
    ),
    "JPEG of grey": (
        dicom(SMOOTH[..., 0].copy(), "MONOCHROME2", syntax=JPEG),
        NEARLY,
    ),
    "JPEG 2000": (
        dicom(SMOOTH, "YBR_RCT", syntax=JPEG2000, jpeg={"no_jp2": True}),
        NEARLY,
    ),
    "several frames": (dicom(COLOR, "RGB", frames=2), REFUSED),
    "signed": (dicom(COLOR[..., 0].astype(np.int16), "MONOCHROME2"), REFUSED),
    "palette": (dicom(COLOR[..., 0].copy(), "PALETTE COLOR"), REFUSED),
    "cut short": (cut(dicom(COLOR, "RGB")), REFUSED),
    "JPEG cut short": (cut(dicom(SMOOTH, "YBR_FULL_422", syntax=JPEG)), REFUSED),
}
KINDS = [
    pytest.param(*row, id=f"{form} {name}")
    for form, kinds in (("TIFF", TIFFS), ("DICOM", DICOMS))
    for name, row in kinds.items()
]


def outcome(path: Path) -> _Image | str:
    """The pixels, or what was wanted and the way out, without the decoder's words."""
    try:
        return read_image(path)
    except UnusableImage as error:
        text = str(error)
        return text.partition(" (")[0] + text.rpartition(")")[2]


@pytest.fixture()
def hidden(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and tensorflow-io is not there."""
    return lambda: monkeypatch.setattr(
        native, "find_tensorflow_io", lambda: (None, "hidden by the test")
    )


@pytest.mark.parametrize("write, truth", KINDS)
def test_without_tensorflow_io_every_kind_is_read_or_refused(
    tmp_path: Path, write: Callable, truth: Any, hidden: Callable[[], None]
) -> None:
    hidden()
    write(tmp_path / "picture")
    found = outcome(tmp_path / "picture")
    if truth is REFUSED:
        assert isinstance(found, str) and ", got path=" in found
    elif isinstance(truth, str):
        assert not isinstance(found, str), found
    else:
        np.testing.assert_array_equal(found, truth)


@pytest.mark.parametrize("write, truth", KINDS)
def test_with_tensorflow_io_the_same_pixels_come_out(
    tmp_path: Path, write: Callable, truth: Any, hidden: Callable[[], None]
) -> None:
    skip_without_tensorflow_io()
    write(tmp_path / "picture")
    preferred = outcome(tmp_path / "picture")
    hidden()
    other = outcome(tmp_path / "picture")
    if truth is NEARLY:
        assert np.abs(other.astype(int) - preferred).max() <= 1
    else:
        np.testing.assert_array_equal(other, preferred)
    assert isinstance(preferred, str) == (truth is REFUSED)


def test_what_no_decoder_of_tiff_knows_is_refused_in_silence(
    tmp_path: Path, hidden: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    hidden()
    # LZMA, which the libtiff of OpenCV does not know, and no LZMA either.
    path = planes_of_strips(tmp_path / "a.tif", DEEP, 34925, PLANES)
    with pytest.raises(UnusableImage, match="whole PNG.*libtiff cannot decode"):
        read_image(path)
    assert capfd.readouterr().err == ""


def test_why_tensorflow_io_is_not_there_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_io", None)
    native.find_tensorflow_io.cache_clear()
    try:
        with pytest.raises(ImportError, match="tensorflow_io"):
            native.tensorflow_io()
    finally:
        native.find_tensorflow_io.cache_clear()
