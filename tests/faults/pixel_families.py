"""Pictures whose files are valid and whose pixels mean something else.

Each family draws one of its members with the pixels that a person would see in it.
The members: white as zero (1 to 16 bits), 9 to 15 bits packed and in 16 (with and
without their depth stated), alpha that hides all, some or nothing, JPEG in TIFF whose
tag names other colors, YCbCr in blocks, palettes, CMYK, floating point and signed
numbers, planes, several pictures in one file (previews, reduced copies, pages,
animations), every depth of PNG with and without a transparent color, interlaced,
JPEG of every kind, BMP of every kind, BigTIFF, both byte orders, and orientation by
EXIF, by XMP and by hidden profiles.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

from gastric_keras.imaging import stored
from tests.faults import pixel_files as files
from tests.faults import pixel_tiffs as tiffs
from tests.faults.pixel_truth import ORDERS, SIDE, Member, gray_of, laid, noise, seen

#: The segment of a JPEG in which XMP alone says how it lies.
XMP = (
    b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description "
    b'tiff:Orientation="6"/></x:xmpmeta>'
)


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """By the words of the EXIF standard, in other operations than the product's."""
    turned = {
        2: pixels[:, ::-1],
        3: np.rot90(pixels, 2),
        4: pixels[::-1],
        5: np.rot90(pixels, -1)[:, ::-1],
        6: np.rot90(pixels, -1),
        7: np.rot90(pixels, 1)[:, ::-1],
        8: np.rot90(pixels, 1),
    }
    return np.ascontiguousarray(turned.get(orientation, pixels))


def _alpha(rng: random.Random) -> Member:
    """Hiding all, some or nothing of a picture, in each format that has alpha."""
    rgb = noise(rng, 3)
    way = rng.choice(("nothing", "all", "some"))
    alpha = {
        "nothing": np.full((SIDE, SIDE), 255, np.uint8),
        "all": np.zeros((SIDE, SIDE), np.uint8),
        "some": noise(rng),
    }[way]
    kind = rng.choice(("PNG", "PNG LA", "PNG 16", "TIFF", "BMP"))
    rgba = np.dstack([rgb, alpha])
    if kind == "PNG":
        data = files.encode(rgba, "PNG")
    elif kind == "PNG 16":
        deep = rgba.astype(np.uint16) * 257
        data = files.write_png(deep, bits=16, color=6)
    elif kind == "PNG LA":
        rgb = gray_of(rgb[..., 0])
        data = files.encode(
            Image.fromarray(np.dstack([rgb[..., 0], alpha]), "LA"), "PNG"
        )
    elif kind == "TIFF":
        tags = files.tiff_tags((SIDE, SIDE), bits=[8] * 4, photometric=2, extra=2)
        data = tiffs.one_page(rng, tags, rgba.tobytes())
    else:
        data = files.write_bmp_v4(rgba)
    if way == "some":
        return data, laid(rgb, alpha), stored.OVER_WHITE
    return data, rgb, stored.ALPHA_IGNORED if way == "all" else ""


def _palette(rng: random.Random) -> Member:
    picture = Image.fromarray(noise(rng, 3)).quantize(rng.choice((4, 16, 200)))
    truth = np.asarray(picture.convert("RGB"))
    kind = rng.choice(("PNG", "TIFF", "BMP", "clear"))
    if kind != "clear":
        return files.encode(picture, kind), truth, ""
    index = np.asarray(picture)
    clear = int(index[0, 0])
    alpha = np.where(index == clear, 0, 255)
    data = files.encode(picture, "PNG", transparency=clear)
    if not alpha.any():
        return data, truth, stored.ALPHA_IGNORED
    return data, laid(truth, alpha), stored.OVER_WHITE


def _print_colors(rng: random.Random) -> Member:
    """CMYK, whose colors only a profile knows; Adobe's are inverted."""
    picture = Image.fromarray(noise(rng, 4), "CMYK")
    return files.encode(picture, rng.choice(("JPEG", "TIFF"))), None, ""


def _several(rng: random.Random) -> Member:
    """Previews and reduced copies are passed over; equals are refused."""
    rgb = noise(rng, 3)
    other = Image.fromarray(255 - rgb)
    kinds = ["MPO", "pages", "reduced", "preview first", "APNG", "GIF", "WEBP"]
    kind = rng.choice([*kinds, "big-endian BigTIFF"])
    if kind == "MPO":
        small = other.resize((32, 32))
        data = files.encode(
            rgb, "MPO", save_all=True, append_images=[small], quality=95
        )
        return data, seen(data), stored.FIRST_OF_SEVERAL
    if kind in ("APNG", "GIF", "WEBP"):
        form = "PNG" if kind == "APNG" else kind
        more = (
            {}
            if rng.random() < 0.2 and kind != "APNG"
            else {"save_all": True, "append_images": [other]}
        )
        return files.encode(rgb, form, **more), None, ""
    tags = files.tiff_tags((SIDE, SIDE), bits=[8] * 3, photometric=2)
    if kind == "big-endian BigTIFF":
        data = files.write_tiff([(tags, rgb.tobytes())], order=">", is_big=True)
        return data, None, ""
    page, small = (tags, rgb.tobytes()), np.ascontiguousarray(rgb[::2, ::2])
    half = files.tiff_tags(small.shape[:2], bits=[8] * 3, photometric=2, subfile=1)
    reduced = (half, small.tobytes())
    pages = {
        "pages": [page, (tags, (255 - rgb).tobytes())],
        "reduced": [page, reduced],
        "preview first": [reduced, page],
    }[kind]
    data = files.write_tiff(pages, order="<", is_big=rng.random() < 0.3)
    return data, None if kind == "pages" else rgb, ""


def _png(rng: random.Random) -> Member:
    """Each depth and kind of color, interlaced or not, with a clear color or not."""
    color = rng.choice((0, 0, 2, 2))
    bits = rng.choice((1, 2, 4, 8, 16) if color == 0 else (8, 16))
    n = 1 if color == 0 else 3
    samples = noise(rng, n, most=2**bits - 1).astype(int)
    if bits == 16:
        samples[0] |= 0x8000
    before, has_clear = b"", rng.random() < 0.5
    clear = samples[31, 31]
    if has_clear:
        before = files.png_chunk(b"tRNS", clear.astype(">u2").tobytes())
    data = files.write_png(
        samples, bits=bits, color=color, before=before, is_interlaced=rng.random() < 0.4
    )
    if has_clear and color == 2 and bits == 16:
        return data, None, ""
    scaled = samples >> 8 if bits == 16 else samples * 255 // (2**bits - 1)
    truth = gray_of(scaled) if n == 1 else scaled.astype(np.uint8)
    if not has_clear:
        return data, truth, ""
    alpha = np.where((samples == clear).all(axis=2), 0, 255)
    return data, laid(truth, alpha), stored.OVER_WHITE


def _jpeg(rng: random.Random) -> Member:
    """Progressive, gray, RGB, subsampled; 12 bits and lossless are refused."""
    kind = rng.choice(("plain", "progressive", "gray", "RGB", "12 bits", "lossless"))
    rgb = noise(rng, 3)
    options: dict[str, object] = {"quality": rng.randint(40, 98)}
    if kind == "RGB":
        options["keep_rgb"] = True
    else:
        options["subsampling"] = rng.choice((0, 1, 2))
    options["progressive"] = kind == "progressive"
    data = files.encode(rgb[..., 0] if kind == "gray" else rgb, "JPEG", **options)
    frame = data.find(b"\xff\xc0")
    if kind == "12 bits":
        return data[: frame + 4] + b"\x0c" + data[frame + 5 :], None, ""
    if kind == "lossless":
        return data[: frame + 1] + b"\xc3" + data[frame + 2 :], None, ""
    return data, seen(data), ""


def _bmp(rng: random.Random) -> Member:
    rgb = noise(rng, 3)
    kind = rng.choice(("24", "32", "565", "gray", "1"))
    if kind == "565":
        return *files.write_bmp_565(rgb), ""
    if kind == "32":
        rgba = np.dstack([rgb, noise(rng)])
        data = bytearray(files.encode(Image.fromarray(rgba), "BMP"))
        # Without masks the fourth byte means nothing.
        header = data[14:54]
        if int.from_bytes(header[:4], "little") == 40 and header[16] == 0:
            return bytes(data), rgb, ""
        return (
            files.write_bmp_v4(np.dstack([rgb, np.full_like(rgb[..., 0], 255)])),
            rgb,
            "",
        )
    if kind == "24":
        return files.encode(rgb, "BMP"), rgb, ""
    gray = rgb[..., 0] if kind == "gray" else (rgb[..., 0] > 20) * np.uint8(255)
    picture = Image.fromarray(gray)
    return (
        files.encode(picture if kind == "gray" else picture.convert("1"), "BMP"),
        (gray_of(gray)),
        "",
    )


def _profile(rng: random.Random) -> Member:
    """A color profile: sRGB says nothing new; of another is told."""
    rgb = noise(rng, 3)
    is_srgb = rng.random() < 0.5
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if not is_srgb:
        for text in ("sRGB", "srgb"):
            for code in ("ascii", "utf-16-be"):
                profile = profile.replace(text.encode(code), "Cam1".encode(code))
    kind = rng.choice(("PNG", "JPEG", "TIFF"))
    data = files.encode(rgb, kind, icc_profile=profile)
    return data, seen(data), "" if is_srgb else stored.PROFILE_IGNORED


def _other_colors(rng: random.Random) -> Member:
    """Gamma, primaries and transfer function of a PNG: those of sRGB say nothing."""
    rgb = noise(rng, 3)
    srgb = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    adobe = (*srgb[:4], 21000, 71000, *srgb[6:])
    chunk = files.png_chunk
    before, is_other = rng.choice(
        (
            (chunk(b"gAMA", struct.pack(">I", 45455)), False),
            (chunk(b"gAMA", struct.pack(">I", rng.choice((55556, 100000)))), True),
            (chunk(b"cHRM", struct.pack(">8I", *srgb)), False),
            (chunk(b"cHRM", struct.pack(">8I", *adobe)), True),
            (chunk(b"cICP", bytes((1, 13, 0, 1))), False),
            (chunk(b"cICP", bytes((9, 16, 0, 1))), True),
            # The mark of sRGB counts more than a gamma beside it.
            (chunk(b"sRGB", b"\0") + chunk(b"gAMA", b"\0\1\x86\xa0"), False),
        )
    )
    data = files.write_png(rgb, bits=8, color=2, before=before)
    return data, rgb, stored.GAMMA_IGNORED if is_other else ""


def _dark(rng: random.Random) -> Member:
    """A label mask taken for a picture; 9 to 12 bits in a PNG of 16."""
    n = rng.choice((1, 3))
    if rng.random() < 0.5:
        labels = noise(rng, n, most=15)
        data = files.write_png(labels, bits=8, color=0 if n == 1 else 2)
        return data, gray_of(labels) if n == 1 else labels, stored.DARK
    samples = noise(rng, n, most=2 ** rng.randint(9, 12) - 1).astype(np.uint16)
    data = files.write_png(samples, bits=16, color=0 if n == 1 else 2)
    high = (samples >> 8).astype(np.uint8)
    return data, gray_of(high) if n == 1 else high, stored.NEARLY_BLACK


def _orientation(rng: random.Random) -> Member:
    """By EXIF in JPEG, PNG and TIFF; hidden in XMP or text it is refused."""
    rgb, orientation = noise(rng, 3), rng.randint(0, 9)
    is_known = 1 <= orientation <= 8
    exif = files.write_exif(
        orientation,
        order=rng.choice(ORDERS),
        kind=rng.choice((3, 4)),
        gap=rng.choice((0, 2, 30)),
        inner=rng.randint(1, 8),
    )
    note = stored.TURNED if 2 <= orientation <= 8 else ""
    kind = rng.choice(("JPEG", "PNG", "TIFF", "PNG text", "JPEG XMP", "MPO"))
    if kind == "TIFF":
        tags = files.tiff_tags(
            (SIDE, SIDE), bits=[8] * 3, photometric=2, orientation=orientation
        )
        return tiffs.one_page(rng, tags, rgb.tobytes()), _turned(rgb, orientation), note
    if kind == "PNG":
        where = rng.choice(("before", "behind"))
        chunk = files.png_chunk(b"eXIf", exif)
        data = files.write_png(rgb, bits=8, color=2, **{where: chunk})
        return data, _turned(rgb, orientation), note
    if kind == "PNG text":
        text = files.png_chunk(b"zTXt", b"Raw profile type exif\0\0" + b"x")
        return files.write_png(rgb, bits=8, color=2, before=text), None, ""
    plain = files.encode(rgb, "JPEG", quality=95)
    segment = files.jpeg_segment(0xE1, b"Exif\0\0" + exif)
    if kind == "MPO":
        # That of the preview behind the picture is not that of the picture.
        return plain + files.with_segments(plain, segment), seen(plain), ""
    if kind == "JPEG XMP":
        xmp = files.jpeg_segment(0xE1, XMP)
        if rng.random() < 0.5 or not is_known:
            return files.with_segments(plain, xmp), None, ""
        data = files.with_segments(plain, xmp, segment)
        return data, _turned(seen(plain), orientation), note
    fill = b"\xff" * rng.choice((0, 0, 3))
    comment = files.jpeg_segment(0xFE, rng.randbytes(rng.randint(0, 300)))
    data = files.with_segments(plain, comment, fill + segment)
    return data, _turned(seen(plain), orientation), note


FAMILIES: dict[str, Callable[[random.Random], Member]] = {
    "white is zero": tiffs.white_is_zero,
    "9 to 15 bits packed": tiffs.packed,
    "9 to 15 bits in 16": tiffs.depth_in_16,
    "16 bits": tiffs.deep,
    "alpha": _alpha,
    "JPEG in TIFF": tiffs.jpeg_in_tiff,
    "YCbCr": tiffs.ycbcr,
    "palette": _palette,
    "CMYK": _print_colors,
    "floating point, signed, 32 bits": tiffs.other_numbers,
    "several pictures": _several,
    "PNG of every depth": _png,
    "JPEG of every kind": _jpeg,
    "BMP of every kind": _bmp,
    "color profile": _profile,
    "gamma and primaries of PNG": _other_colors,
    "dark": _dark,
    "palette of TIFF": tiffs.palettes,
    "ImageJ": tiffs.imagej,
    "orientation": _orientation,
}
