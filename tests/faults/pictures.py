"""Spoilt pictures: what data_prep makes of them, and training of their bytes."""

from __future__ import annotations

import io
import json
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.faults.kinds import Kind
from tests.faults.mutations import cut, flip, scramble

#: Limit that the reader gets here, so that a bomb is small beside its own memory.
MAX_PIXELS = 4_000_000

_SUFFIXES = (".png", ".jpg", ".bmp", ".tif")
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".bmp": "BMP", ".tif": "TIFF"}

#: Fault -> bytes, suffix, and the pixels that are the one right answer, if there are.
#: ``must`` tells the end: "right", "refused", or "either", where a picture that is
#: read must still be the right one; "any" where the format cannot know.
_Spoilt = tuple[bytes, str, np.ndarray | None, str]


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault and write its picture."""
    name = rng.choice(sorted(_FAULTS))
    data, suffix, truth, must = _FAULTS[name](rng)
    (folder / f"picture{suffix}").write_bytes(data)
    (folder / "truth.json").write_text(json.dumps({"must": must}))
    if truth is not None:
        np.save(folder / "truth.npy", truth)
    return name


def read(folder: Path) -> None:
    """Read it as ``data_prep target`` does, and as training reads its record."""
    from gastric_keras.imaging.images import is_stored_as_is, read_image
    from gastric_keras.support.errors import InputError

    path = next(folder.glob("picture*"))
    must = json.loads((folder / "truth.json").read_text())["must"]
    try:
        pixels = read_image(path, max_pixels=MAX_PIXELS)
    except InputError as error:
        assert must != "right", f"refused: {error}"
        raise
    assert must != "refused", f"read as {pixels.shape}"
    assert pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8
    if (folder / "truth.npy").is_file():
        truth = np.load(folder / "truth.npy")
        assert pixels.shape == truth.shape, (pixels.shape, truth.shape)
        difference = np.abs(pixels.astype(int) - truth).max()
        assert difference <= 1, f"pixels differ by {difference}"
    data = path.read_bytes()
    if is_stored_as_is(data):
        _check_training(data, pixels, is_damaged=must == "any")


def _check_training(data: bytes, pixels: np.ndarray, *, is_damaged: bool) -> None:
    """Bytes that go into the records as they are must look the same in training."""
    from gastric_keras.data.decode import decode_rgb

    decoded = decode_rgb(data).numpy()
    assert decoded.shape == pixels.shape, (decoded.shape, pixels.shape)
    difference = np.abs(decoded.astype(int) - pixels).mean() if pixels.size else 0
    # JPEG has no checksum, and of damaged coefficients each decoder makes its own.
    is_known = data[:2] != b"\xff\xd8" or not is_damaged
    assert (
        not is_known or difference < 3
    ), f"training sees other pixels, by {difference:.1f} on average"


def _pixels(rng: random.Random, *channels: int, depth: type = np.uint8) -> np.ndarray:
    values = np.random.default_rng(rng.randrange(2**32))
    shape = (rng.randint(1, 48), rng.randint(1, 48), *channels)
    return values.integers(0, np.iinfo(depth).max + 1, shape, dtype=depth)


def _encode(picture: Image.Image, suffix: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, _FORMATS[suffix], **options)
    return stream.getvalue()


def _plain(rng: random.Random) -> tuple[bytes, str, np.ndarray]:
    suffix = rng.choice(_SUFFIXES)
    options: dict[str, object] = {}
    if suffix == ".tif":
        options["compression"] = rng.choice((None, "tiff_lzw", "tiff_deflate"))
    elif suffix == ".jpg":
        options["progressive"] = rng.random() < 0.3
    data = _encode(Image.fromarray(_pixels(rng, 3)), suffix, **options)
    return data, suffix, np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _cut(rng: random.Random) -> _Spoilt:
    data, suffix, truth = _plain(rng)
    return cut(rng, data), suffix, truth, "either"


def _flip(rng: random.Random) -> _Spoilt:
    data, suffix, truth = _plain(rng)
    if suffix == ".png":
        # PNG carries checksums: damage must be seen.
        return flip(rng, data), suffix, truth, "either"
    return flip(rng, data), suffix, None, "any"


def _scramble(rng: random.Random) -> _Spoilt:
    data, suffix, _ = _plain(rng)
    return scramble(rng, data), suffix, None, "any"


def _tail(rng: random.Random) -> _Spoilt:
    data, suffix, truth = _plain(rng)
    return data + rng.randbytes(rng.randint(1, 500)), suffix, truth, "either"


def _wrong_suffix(rng: random.Random) -> _Spoilt:
    data, suffix, truth = _plain(rng)
    others = [other for other in _SUFFIXES if other != suffix]
    return data, rng.choice(others), truth, "right"


def _cmyk(rng: random.Random) -> _Spoilt:
    picture = Image.fromarray(_pixels(rng, 4), "CMYK")
    suffix = rng.choice((".jpg", ".tif"))
    return _encode(picture, suffix), suffix, None, "refused"


def _deep(rng: random.Random) -> _Spoilt:
    values = _pixels(rng, depth=np.uint16)
    suffix = rng.choice((".png", ".tif"))
    grey = (values >> 8).astype(np.uint8)
    data = _encode(Image.fromarray(values), suffix)
    return data, suffix, np.repeat(grey[..., None], 3, 2), "right"


def _floats(rng: random.Random) -> _Spoilt:
    values = _pixels(rng).astype(np.float32)
    values[0, 0] = rng.choice((np.nan, np.inf, -1e30, 0.5))
    return _encode(Image.fromarray(values), ".tif"), ".tif", None, "refused"


def _grey(rng: random.Random) -> _Spoilt:
    values = _pixels(rng)
    suffix = rng.choice((".png", ".bmp", ".tif"))
    data = _encode(Image.fromarray(values), suffix)
    return data, suffix, np.repeat(values[..., None], 3, 2), "right"


def _bilevel(rng: random.Random) -> _Spoilt:
    values = _pixels(rng) > 127
    suffix = rng.choice((".png", ".bmp", ".tif"))
    truth = np.repeat((values * 255).astype(np.uint8)[..., None], 3, 2)
    return _encode(Image.fromarray(values), suffix), suffix, truth, "right"


def _palette(rng: random.Random) -> _Spoilt:
    picture = Image.fromarray(_pixels(rng, 3)).convert("P", palette=Image.ADAPTIVE)
    truth = np.asarray(picture.convert("RGB"))
    return _encode(picture, ".png"), ".png", truth, "right"


def _alpha(rng: random.Random) -> _Spoilt:
    values = _pixels(rng, 4)
    share = values[..., 3:] / 255 if values[..., 3].any() else 1.0
    truth = np.rint(values[..., :3] * share + 255 * (1 - share)).astype(np.uint8)
    return _encode(Image.fromarray(values), ".png"), ".png", truth, "right"


def _animated(rng: random.Random) -> _Spoilt:
    frames = [Image.fromarray(_pixels(rng, 3)) for _ in range(3)]
    frames = [frame.resize(frames[0].size) for frame in frames]
    suffix = rng.choice((".png", ".tif"))
    data = _encode(frames[0], suffix, save_all=True, append_images=frames[1:])
    return data, suffix, None, "refused"


def _turned(rng: random.Random) -> _Spoilt:
    values = _pixels(rng, 3)
    exif = Image.Exif()
    way = rng.randint(1, 8)
    exif[0x0112] = way
    data = _encode(Image.fromarray(values), ".png", exif=exif)
    turned = {
        2: values[:, ::-1],
        3: values[::-1, ::-1],
        4: values[::-1],
        5: values.swapaxes(0, 1),
        6: np.rot90(values, -1),
        7: np.rot90(values, 2).swapaxes(0, 1),
        8: np.rot90(values),
    }
    return data, ".png", np.ascontiguousarray(turned.get(way, values)), "right"


def _single(rng: random.Random) -> _Spoilt:
    suffix = rng.choice((".png", ".bmp", ".tif"))
    values = _pixels(rng, 3)[:1, :1]
    return _encode(Image.fromarray(values), suffix), suffix, values, "right"


def _png_chunk(name: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + check


def _bomb(rng: random.Random) -> _Spoilt:
    side = rng.choice((40_000, 5_000, 2**31 - 1, 65_535))
    kind = rng.choice((".png", ".bmp", ".tif", ".jpg"))
    if kind == ".png":
        head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        rows = zlib.compress(bytes(1_000_000), 9)
        data = b"\x89PNG\r\n\x1a\n" + _png_chunk(b"IHDR", head)
        data += _png_chunk(b"IDAT", rows) + _png_chunk(b"IEND", b"")
        return data, kind, None, "refused"
    small = bytearray(_encode(Image.new("RGB", (8, 8)), kind))
    if kind == ".bmp":
        small[18:26] = struct.pack("<ii", side, side)
    elif kind == ".jpg":
        start = small.find(b"\xff\xc0") + 5
        small[start : start + 4] = struct.pack(">HH", 65_000, 65_000)
    else:
        # Entries of 12 bytes: width is tag 256, height 257.
        for tag in (256, 257):
            place = small.find(struct.pack("<HH", tag, 4))
            if place < 0:
                place = small.find(struct.pack("<HH", tag, 3))
            small[place : place + 12] = struct.pack("<HHII", tag, 4, 1, side)
    return bytes(small), kind, None, "refused"


def _late_bomb(rng: random.Random) -> _Spoilt:
    """Within the limit by its header, but its text or profile swells."""
    picture = Image.new("RGB", (4, 4))
    plain = _encode(picture, ".png")
    swollen = zlib.compress(bytes(rng.choice((10_000_000, 80_000_000))), 9)
    name = rng.choice((b"zTXt", b"iCCP"))
    chunk = _png_chunk(name, b"Comment\0\0" + swollen)
    place = plain.find(b"IDAT") - 4
    data = plain[:place] + chunk + plain[place:]
    return data, ".png", np.zeros((4, 4, 3), np.uint8), "either"


def _nothing(rng: random.Random) -> _Spoilt:
    data = rng.choice((b"", b"\0" * 200, rng.randbytes(300), b"<html></html>", b"BM"))
    return data, rng.choice((*_SUFFIXES, ".dcm")), None, "refused"


def _dicom(rng: random.Random) -> _Spoilt:
    data = _plain_dicom(_pixels(rng, 3))
    spoil = rng.choice((cut, flip, scramble))
    return spoil(rng, data), ".dcm", None, "any"


def _plain_dicom(values: np.ndarray) -> bytes:
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.UID("1.2.840.10008.5.1.4.1.1.77.1.1")
    meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("1.2.3")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    picture = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    picture.PhotometricInterpretation, picture.SamplesPerPixel = "RGB", 3
    picture.PlanarConfiguration, picture.PixelRepresentation = 0, 0
    picture.Rows, picture.Columns = values.shape[:2]
    picture.BitsAllocated = picture.BitsStored = 8
    picture.HighBit = 7
    raw = values.tobytes()
    picture.PixelData = raw + b"\0" * (len(raw) % 2)
    stream = io.BytesIO()
    picture.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


_FAULTS: dict[str, Callable[[random.Random], _Spoilt]] = {
    "cut short": _cut,
    "bits flipped": _flip,
    "parts removed, doubled or noise": _scramble,
    "noise behind its end": _tail,
    "wrong suffix": _wrong_suffix,
    "CMYK": _cmyk,
    "16 bits": _deep,
    "floating point": _floats,
    "grey": _grey,
    "one bit": _bilevel,
    "palette": _palette,
    "alpha": _alpha,
    "several pages": _animated,
    "turned by EXIF": _turned,
    "1×1": _single,
    "bomb of pixels": _bomb,
    "bomb of text": _late_bomb,
    "no picture": _nothing,
    "spoilt DICOM": _dicom,
}

KIND = Kind("pictures", write, read, needs_tensorflow=True)
