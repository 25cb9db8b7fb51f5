"""Which class of a set a name in the data means."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from data_prep.sources.outlines import Outline
from gastric_keras.support.errors import InputError
from gastric_keras.support.strict_yaml import snippet

#: Written in a mapping instead of a class: leave these regions out.
IGNORE = "ignore"
#: Written in a mapping instead of a class: cut these regions out of the others.
HOLE = "hole"
#: The name under which regions without a classification are mapped.
UNCLASSIFIED = "unclassified"

#: Numbers of a class map beside those of the classes, 1…n: not annotated, and marked
#: as of no class, which neither another outline nor ``unannotated`` covers.
NOTHING, NO_CLASS = 0, 255

#: QuPath's classes of the intensity of a stain, which derive from the class of a
#: tissue: PathClassTools.getNonIntensityAncestorClass.
_INTENSITIES = ("positive", "negative", "1+", "2+", "3+")
#: QuPath's class for a frame around what is annotated.
_FRAME = "region*"
#: What the reader of Aperio's XML calls a layer without a name.
_COLOR = "LineColor "


def class_number(
    name: str, classes: Sequence[str], labels: Mapping[str, str] | None = None
) -> int:
    """Number of a class, 1…n, by its name in the data; 0 where it is ignored.

    Raises:
        InputError: no class of that name and no mapping to one.
    """
    mapped = _spelled(labels or {}).get(_spell(name), name)
    if mapped == IGNORE:
        return NOTHING
    known = {_spell(entry): number for number, entry in enumerate(classes, start=1)}
    if _spell(mapped) not in known:
        raise InputError(
            f"A class must be one of {', '.join(classes)}, got {name!r}"
            + (f" mapped to {mapped!r}. " if mapped != name else ". ")
            + f"Map it in the config, {_advice(name, classes[0])}, or leave it out, "
            f"{_advice(name, IGNORE)}."
        )
    return known[_spell(mapped)]


class ClassNames:
    """The class of each outline, and in words what of it was guessed.

    Args:
        classes: class names, in label order.
        labels: name in the file -> class, ``ignore`` or ``hole``.
    """

    def __init__(self, classes: Sequence[str], labels: Mapping[str, str]) -> None:
        self.classes = classes
        self.labels = labels
        self._explained = {*_spelled(labels), *map(_spell, classes)}

    def find(self, outline: Outline) -> tuple[str, str]:
        """Name by which an outline is looked up, and how it was guessed, if it was.

        A class that is mapped, or is one of the set, is taken as it is. An outline
        without one takes that of its name, where a class has this name. A class of
        QuPath that is derived by the intensity of a stain ("Tumor: Positive") is
        that of its tissue, as in QuPath.

        Returns:
            (name, guess), such as ("Tumor", "outline of the class Tumor: Positive
            read as Tumor"); the guess is "" where there is none.
        """
        name = outline.name or UNCLASSIFIED
        if self._is_explained(name):
            return name, ""
        if outline.name is None or name.startswith(_COLOR):
            for text in outline.texts:
                if self._is_explained(text):
                    return text, f"outline without a class read as its name, {text}"
        *tissue, last = name.split(":")
        while tissue and _spell(last) in _INTENSITIES:
            base = ":".join(tissue).strip()
            if self._is_explained(base):
                return base, f"outline of the class {name} read as {base}"
            *tissue, last = tissue
        return name, ""

    def number(self, name: str) -> int | None:
        """Number in a class map of a name of :meth:`find`.

        Returns:
            1…n of a class, 0 of a hole, ``NO_CLASS`` of what QuPath ignores (a class
            that ends with an asterisk), None of what is left out: mapped to
            ``ignore``, or QuPath's frame ``Region*``.

        Raises:
            InputError: no class of that name and no mapping to one.
        """
        if self._is_explained(name):
            if _spelled(self.labels).get(_spell(name)) == HOLE:
                return NOTHING
            return class_number(name, self.classes, self.labels) or None
        if _spell(name) == _FRAME:
            return None
        if name.rstrip().endswith("*"):
            return NO_CLASS
        return class_number(name, self.classes, self.labels)

    def _is_explained(self, name: str) -> bool:
        return _spell(name) in self._explained


def _spell(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().lower()


def _spelled(labels: Mapping[str, str]) -> dict[str, str]:
    return {_spell(name): value for name, value in labels.items()}


def _advice(name: str, value: str) -> str:
    """A mapping in YAML that means these words when it is pasted."""
    return snippet(labels={name.strip(): value})
