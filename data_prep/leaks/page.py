"""One self-contained HTML page that shows what two sides share, pair by pair."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from data_prep.leaks.contents import Contents, Kind
from data_prep.leaks.doubts import Doubt
from data_prep.leaks.find import Leak
from data_prep.leaks.text import check_file, pair_rows
from gastric_keras.imaging.images import decode_image
from gastric_keras.records.schema import read_records, record_key
from gastric_keras.support.files import write_atomic
from gastric_keras.support.pages import render

#: Most pairs of a kind that a page shows in pictures, so that any browser opens it.
MOST_PAIRS = 200
#: Most pairs that it lists by name.
MOST_LISTED = 20_000

#: Longest side of a patch on the page, px.
_SIDE = 128
#: Colors of such a picture: enough for the eye, a quarter of the bytes.
_COLORS = 64

_MEANING: dict[Kind, str] = {
    "case": "One patient is on both sides; shown by a patch of each side.",
    "image": "One picture is on both sides; shown by a patch of each side.",
    "overlap": "Two patches of one picture share a part of it.",
    "pixels": "Two patches are equal to the last pixel.",
    "perceptual": "Two patches show the same, though turned, flipped, compressed "
    "again or mildly resized.",
}

#: A side (see ``Contents``) and a record key.
_Place = tuple[str, str]


def write_page(
    path: Path | str,
    leaks: Sequence[Leak],
    contents: Sequence[Contents],
    *,
    doubts: Sequence[Doubt] = (),
    meeting: Sequence[str] = (),
    most: int = MOST_PAIRS,
) -> Path:
    """Write the page: HTML with pictures inside, no script and no network.

    Args:
        path: of the page; replaced where it is there.
        leaks: see :func:`data_prep.leaks.find.find_leaks`.
        contents: all that was compared.
        doubts: see :func:`data_prep.leaks.doubts.find_doubts`.
        meeting: what is doubtful where the sets meet, a sentence or two each.
        most: pairs of a kind that are shown in pictures; all are listed by name.

    Returns:
        The path.

    Raises:
        InputError: a path that is a folder or lies in none.
    """
    path = Path(path)
    check_file(path, "page", ".html")
    by_kind = {kind: _pairs(leaks, kind) for kind in get_args(Kind)}
    shown = {kind: pairs[:most] for kind, pairs in by_kind.items()}
    wanted = {
        place for pairs in shown.values() for _, *places in pairs for place in places
    }
    patches = _read_patches(wanted, contents)
    listed = list(islice(pair_rows(leaks, doubts), MOST_LISTED))
    page = render(
        "data_prep.leaks",
        "leaks.html",
        title="Leaks" if leaks else "No leaks",
        sides=[_side(side) for side in contents],
        kinds=[
            {
                "name": kind,
                "meaning": _MEANING[kind],
                "total": sum(leak.count for leak in leaks if leak.kind == kind),
                "pairs": [
                    {"what": what, "patches": [patches[one], patches[other]]}
                    for what, one, other in shown[kind]
                ],
            }
            for kind in shown
            if any(leak.kind == kind for leak in leaks)
        ],
        doubts=[*map(str, doubts), *meeting],
        listed=listed,
        all_pairs=sum(len(leak.pairs) for leak in leaks)
        + sum(len(doubt.pairs) for doubt in doubts),
    )
    write_atomic(path, page.encode())
    return path


def _side(contents: Contents) -> Mapping[str, Any]:
    return {
        "name": contents.name,
        "dataset": contents.dataset,
        "split": contents.split,
        "patches": len(contents.patches.keys),
        "cases": len(contents.keys["case"]),
        "images": len(contents.keys["image"]),
        "flat": int(contents.patches.pictures.is_flat.sum()),
    }


def _pairs(leaks: Sequence[Leak], kind: Kind) -> list[tuple[str, _Place, _Place]]:
    """What is shared where a word says it, and the two patches; every leak in turn."""
    queues = [
        [
            (
                leak.names[row] if leak.names else "",
                (leak.first, one),
                (leak.second, other),
            )
            for row, (one, other) in enumerate(leak.pairs)
        ]
        for leak in leaks
        if leak.kind == kind
    ]
    # One of each leak after the other, so that the cap hides no pair of sides.
    longest = max((len(queue) for queue in queues), default=0)
    return [queue[i] for i in range(longest) for queue in queues if i < len(queue)]


def _read_patches(
    wanted: set[_Place], contents: Sequence[Contents]
) -> dict[_Place, Mapping[str, str]]:
    """Read the patches that are shown again: the page alone keeps their bytes."""
    keys = defaultdict(set)
    for side, key in wanted:
        keys[side].add(key)
    patches: dict[_Place, Mapping[str, str]] = {}
    for part in contents:
        side = str(part)
        if not keys[side]:
            continue
        for record in read_records(part.name, part.split):
            key = record_key(record.image_id, record.x, record.y)
            if key in keys[side]:
                patches[side, key] = {
                    "name": part.name,
                    "split": part.split,
                    "key": key,
                    "uri": _uri(decode_image(record.image, name=key)),
                }
    return patches


def _uri(pixels: npt.NDArray[np.uint8]) -> str:
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((_SIDE, _SIDE))
    stream = io.BytesIO()
    picture.quantize(_COLORS).save(stream, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
