"""Text for a page: names from outside that stay names, and tables."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

#: Characters that a reader does not see, or that turn the text around them: controls
#: but tab and line feed, marks of direction, line ends of Unicode, lone surrogates.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ud800-\udfff]"
)


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
