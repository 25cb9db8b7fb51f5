"""Whether a page holds nothing of what names from outside would put into it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

#: What no page of the house has, and what hostile names ask for.
_FOREIGN = {
    "script",
    "iframe",
    "object",
    "embed",
    "link",
    "svg",
    "base",
    "form",
    "input",
    "b",
}
#: Controls, marks of direction, lone surrogates: nobody sees them, but they turn text.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]"
)


class _Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read_page(page: str, *, is_markdown: bool = False) -> str:
    """The text of a page, once it is seen to be harmless.

    Raises:
        AssertionError: an element or attribute that a name brought in, or a character
            that turns the text around it.
    """
    found = _Reader(page)
    if is_markdown:
        assert not found.elements, f"HTML in Markdown: {found.elements[:3]}"
    for tag, attributes in found.elements:
        assert tag not in _FOREIGN, f"<{tag}> in the page"
        for name, value in attributes.items():
            assert not name.startswith("on"), f"{tag} with {name}={value!r}"
            assert name != "src" or str(value).startswith("data:image/png;base64,")
            assert name != "href" or str(value).startswith("#")
    unseen = _UNSEEN.search(page)
    assert unseen is None, f"U+{ord(unseen[0]):04X} in the page"
    return found.text
