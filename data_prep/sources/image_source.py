"""One picture and what is known of it before it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ImageSource:
    """One picture and what is known of it.

    Attributes:
        path: the file.
        image_id: its path below the source's folder, after the source's name.
        case_id: the patient; the image itself where cases are unknown.
        source: position in the config's ``sources``.
        label: class name as the data spell it, or None.
        annotation: region map, or None.
        split: train, validation or test where the index fixes it, or None.
        is_grouped: whether the case is known.
    """

    path: Path
    image_id: str
    case_id: str
    source: int = 0
    label: str | None = None
    annotation: Path | None = None
    split: str | None = None
    is_grouped: bool = True
