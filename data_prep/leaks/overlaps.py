"""Where patches lie in their picture at full resolution, and which share a pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

#: Stands for the side of a patch that is a whole picture, px.
WHOLE = 1 << 30


def side_of(config: Mapping[str, Any], image_id: str) -> int | None:
    """Side of the patches of a picture at full resolution.

    Args:
        config: of the manifest. ``sides`` (image id -> px) decides where it is there;
            else the source of the picture, told by its name before the image id.
        image_id: the picture.

    Returns:
        px; a number larger than any picture where patches are whole pictures; None
        where the config does not say.
    """
    sides = config.get("sides") or {}
    if image_id in sides:
        return int(sides[image_id]) or WHOLE
    sources = config.get("sources") or [{}]
    named = [s for s in sources if s.get("name") and image_id.startswith(_head(s))]
    # The longest name fits best: "a/b/" before "a/".
    fitting = sorted(named, key=lambda s: len(s["name"]))[-1:]
    fitting = fitting or [s for s in sources if not s.get("name")]
    found = []
    for source in fitting:
        size = source.get("patch_size")
        size = config.get("patch_size") if size is None else size
        if size is not None:
            found.append(int(size) or WHOLE)
    # Of several that may be meant, the largest: better one warning too many.
    return max(found, default=None)


def _head(source: Mapping[str, Any]) -> str:
    return f"{source['name']}/"


def intersect(
    first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Find the squares of two lists that share a pixel.

    Args:
        first: (N, 3) int64: left and top edge and side, px; N is 1 or more.
        second: (M, 3), the same.

    Returns:
        (P, 2) int64: row of the first list, row of the second.
    """
    import shapely

    # From the first pixel to the last: squares that only touch share none.
    boxes = [
        shapely.box(*squares[:, :2].T, *(squares[:, :2] + squares[:, 2:] - 1).T)
        for squares in (first, second)
    ]
    return shapely.STRtree(boxes[1]).query(boxes[0]).T
