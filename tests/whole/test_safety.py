"""What the source must not hold: ways by which a file could run code or grow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.paths import REPOSITORY

SOURCES = sorted(
    path
    for name in ("gastric_keras", "data_prep")
    for path in (REPOSITORY / name).rglob("*.py")
)
#: Calls that run or unfold what a file says, and listening to a network.
FORBIDDEN = (
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "pickle.load",
    "pickle.loads",
    "dill.load",
    "dill.loads",
    "joblib.load",
    "marshal.load",
    "marshal.loads",
    "shelve.open",
    "torch.load",
    "yaml.load",
    "yaml.load_all",
    "yaml.unsafe_load",
    "yaml.full_load",
    "ElementTree.parse",
    "ElementTree.fromstring",
    "minidom.parse",
    "minidom.parseString",
    "tempfile.mktemp",
    "socket.socket",
    "socketserver.TCPServer",
    "HTTPServer",
    "ThreadingHTTPServer",
    "keras.models.load_model",
    "keras.saving.load_model",
)
#: Keywords that open such a way, with the value that does.
KEYWORDS = {
    "allow_pickle": True,
    "shell": True,
    "autoescape": False,
    "safe_mode": False,
}
#: The one place where a pickle is read, by a reader that lets three globals through.
RESTRICTED = "torch_files.py"


def _name(node: ast.expr) -> str:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "?")
    return ".".join(reversed(parts))


def find_dangers(source: str) -> Iterator[str]:
    """Every forbidden call, keyword or import in some Python source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = _name(node.func)
            if any(name == f or name.endswith(f".{f}") and "." in f for f in FORBIDDEN):
                yield f"{name}() in line {node.lineno}"
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                if keyword.arg in KEYWORDS and value is KEYWORDS[keyword.arg]:
                    yield f"{keyword.arg}={value} in line {node.lineno}"
        elif isinstance(node, ast.ClassDef):
            yield from (
                f"a pickle reader {node.name}"
                for base in node.bases
                if _name(base).endswith("Unpickler")
            )
        elif (
            isinstance(node, ast.ImportFrom) and node.module == "xml.etree.ElementTree"
        ):
            names = {alias.name for alias in node.names}
            if names - {"Element", "ParseError"}:
                yield f"xml.etree's {', '.join(names)} in line {node.lineno}"


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\npickle.load(f)",
        "import numpy as np\nnp.load(f, allow_pickle=True)",
        "import yaml\nyaml.load(t, Loader=yaml.Loader)",
        "import subprocess\nsubprocess.run(c, shell=True)",
        "from xml.etree.ElementTree import parse",
        "import xml.etree.ElementTree\nxml.etree.ElementTree.parse(f)",
        "class R(pickle.Unpickler): pass",
        "eval(text)",
        "Environment(autoescape=False)",
    ],
)
def test_the_guard_sees_what_it_must(source: str) -> None:
    assert list(find_dangers(source))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_no_source_runs_or_unfolds_what_a_file_says(path: Path) -> None:
    found = list(find_dangers(path.read_text(encoding="utf-8")))
    if path.name == RESTRICTED:
        assert found == ["a pickle reader _StateReader"]
        return
    assert found == []


def test_every_page_escapes_what_it_shows() -> None:
    pages = [p for name in ("gastric_keras", "data_prep") for p in _templates(name)]
    assert pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "autoescape false" not in text, page
        # Only what the product draws itself may go in as it is.
        for line in text.splitlines():
            assert "|safe" not in line.replace(" ", ""), f"{page}: {line}"
    users = [p for p in SOURCES if "Environment(" in p.read_text(encoding="utf-8")]
    # The model card is Markdown, no page: what it shows is the lab's own config.
    assert [path.name for path in users] == ["pages.py"]
    assert 'autoescape=select_autoescape(("html",))' in users[0].read_text("utf-8")


def _templates(package: str) -> list[Path]:
    return sorted((REPOSITORY / package).rglob("templates/*.html"))
