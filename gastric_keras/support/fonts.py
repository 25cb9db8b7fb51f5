"""Fonts for names in any script: classes, cases and titles come from the reader.

Matplotlib draws with DejaVu Sans, which has no Chinese, Japanese or Korean letters.
What it lacks is taken from the fonts of the machine, letter by letter.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from gastric_keras.support.streams import warn
from gastric_keras.support.text import visible

#: Matplotlib brings it along.
_FIRST = "DejaVu Sans"
#: Asked in this order, then every other family of the machine. A Chinese face comes
#: first, because the Japanese one writes some Chinese characters differently.
_PREFERRED = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
    "Noto Sans CJK TC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
)
#: Families whose signs are no letters: boxes for everything, or colored bitmaps.
_NO_LETTERS = ("last resort", "lastresort", "adobe blank", "emoji", "stixsize")
#: Drawn in place of a letter that no font has.
BOX = "□"
_warned: set[str] = set()


def choose_fonts(figure: Any) -> None:
    """Give each text of a figure the fonts that its letters need.

    A letter that no font of the machine has is drawn as ``□``, and one warning names
    those letters. The page that shows the figure spells the names.

    Args:
        figure: of Matplotlib, complete; call this last before it is saved.
    """
    from matplotlib.text import Text

    labeled = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    # Names of ticks are set while drawing; this sets them now.
    ticks = [axis.get_ticklabels() for axis in labeled]
    texts = [text for text in figure.findobj(Text) if not text.get_text().isascii()]
    letters = {letter for text in texts for letter in text.get_text() if letter > "~"}
    missing = {letter for letter in letters if family_of(letter) is None}
    _warn_of(missing)
    for text in texts:
        families = [_FIRST]
        for letter in text.get_text():
            family = family_of(letter) if letter in letters else None
            families += [family] if family and family not in families else []
        text.set_fontfamily(families)
        text.set_text(_boxed(text.get_text(), missing))
    for axis, labels in zip(labeled, ticks, strict=True):
        names = [label.get_text() for label in labels]
        if BOX in "".join(names):
            # A tick takes its name from the axis again when it is drawn.
            axis.set_ticks(axis.get_ticklocs(), labels=names)


@cache
def family_of(letter: str) -> str | None:
    """Family of a font of this machine that has a letter; None: there is none."""
    return next((name for name in _families() if _has(name, letter)), None)


def _boxed(text: str, missing: set[str]) -> str:
    return "".join(BOX if letter in missing else letter for letter in text)


def _warn_of(missing: set[str]) -> None:
    """Once for each letter, not for each figure."""
    new = missing - _warned
    if new:
        _warned.update(new)
        letters = visible("".join(sorted(new)))
        warn(
            f"no font on this machine has the letters {letters}. Figures show {BOX} "
            "for them; their captions spell the names. Install a font that has them, "
            "such as fonts-noto-cjk (Debian) for Chinese, and rerun."
        )


def _families() -> Iterator[str]:
    """Families of this machine, in the order in which they are asked."""
    yield _FIRST
    found = _installed()
    yield from (name for name in _PREFERRED if name in found)
    others = found - {_FIRST, *_PREFERRED}
    # Letters without serifs fit the rest of a figure.
    yield from sorted(others, key=lambda name: ("Sans" not in name, name))


@cache
def _installed() -> frozenset[str]:
    """Families found on the disk now.

    Matplotlib's own list is made once for each user and misses what was installed
    since.
    """
    from matplotlib import font_manager

    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in font_manager.findSystemFonts():
        if path not in known:
            try:
                font_manager.fontManager.addfont(path)
            except (OSError, RuntimeError, ValueError):
                # A damaged font, or a kind that FreeType does not read.
                continue
    return frozenset(
        entry.name
        for entry in font_manager.fontManager.ttflist
        if not any(no in entry.name.lower() for no in _NO_LETTERS)
        # Only thin or slanted faces of a family do not fit the rest of a figure.
        and (entry.style, entry.weight, entry.stretch) == ("normal", 400, "normal")
    )


def _has(family: str, letter: str) -> bool:
    from matplotlib import font_manager

    try:
        font = font_manager.get_font(font_manager.findfont(family))
    except (OSError, RuntimeError, ValueError):
        return False
    return bool(font.get_char_index(ord(letter)))
