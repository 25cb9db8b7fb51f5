"""Names from outside, so that they are nothing but names where they are shown."""

from __future__ import annotations

import html
import re

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
