"""Text for a page: names from outside that stay names, and tables."""

from __future__ import annotations

import html
import re
import textwrap
import unicodedata
from collections.abc import Sequence

#: Characters that a reader does not see, or that turn the text around them: controls
#: but tab and line feed, marks of direction, line ends of Unicode, lone surrogates.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ud800-\udfff]"
)

#: Stands behind a letter of double width while lines are measured.
_SECOND_COLUMN = "\ue000"


def wrap(text: str, columns: int, *, break_long_words: bool = True) -> list[str]:
    """Lines of at most so many columns; a Chinese letter takes two.

    Args:
        text: to break, at spaces where it can.
        columns: width of a line.
        break_long_words: also within a word that is longer than a line.
    """
    measured = "".join(
        letter + _SECOND_COLUMN * (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )
    lines = textwrap.wrap(measured, columns, break_long_words=break_long_words)
    return [line.replace(_SECOND_COLUMN, "") for line in lines]


def visible(text: str) -> str:
    """A text from outside with what nobody sees spelled out, such as ``\\u202e``."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def markdown_name(name: str) -> str:
    """A name from outside for Markdown, in which HTML is markup, and ``|`` a cell."""
    name = html.escape(visible(name), quote=False).replace("|", "\\|")
    return " ".join(name.split())


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as a Markdown table whose columns line up."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join([line(header), rule, *map(line, rows)])
