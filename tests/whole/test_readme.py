"""The two READMEs and the pages: equal, short, and without a dead link."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from gastric_keras.config.experiment import ExperimentConfig

ROOT = Path(__file__).parents[2]
#: Pages that only the site has: docs/site/hooks.py generates them.
GENERATED = {"CONFIG.md"}
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
    if path.name != "CHANGELOG.md"
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def headings(text: str) -> list[tuple[int, str]]:
    return [(len(level), name) for level, name in HEADING.findall(CODE.sub("", text))]


def slug(heading: str) -> str:
    """The anchor that GitHub and MkDocs both make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def links(page: Path) -> Iterator[str]:
    for target in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if not target.startswith(("http://", "https://", "mailto:")):
            yield target


def test_readme_has_at_most_1200_words():
    assert len(read("README.md").split()) <= 1200


def test_readmes_link_to_each_other_in_their_first_line():
    assert "(README.zh.md)" in read("README.md").splitlines()[0]
    assert "(README.md)" in read("README.zh.md").splitlines()[0]


def test_readmes_have_the_same_levels_of_headings():
    english, chinese = (headings(read(n)) for n in ("README.md", "README.zh.md"))
    assert [level for level, _ in english] == [level for level, _ in chinese]


def test_readmes_have_the_same_code_blocks_and_links():
    english, chinese = read("README.md"), read("README.zh.md")
    assert CODE.findall(english) == CODE.findall(chinese)
    targets = [LINK.findall(CODE.sub("", text))[1:] for text in (english, chinese)]
    assert sorted(set(targets[0])) == sorted(set(targets[1]))


def test_readme_has_the_usual_headings():
    names = [name for _, name in headings(read("README.md"))]
    wanted = ["Installation", "Quick start", "Results", "Your own data", "Resume"]
    wanted += ["Baselines", "Explainability", "Deployment", "License", "Citation"]
    assert [name for name in names if name in wanted] == wanted


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path):
    dead = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        if path in GENERATED:
            continue
        aim = (page.parent / path).resolve() if path else page
        if not aim.is_file():
            dead.append(target)
        elif anchor:
            names = [slug(name) for _, name in headings(aim.read_text("utf-8"))]
            if anchor not in names:
                dead.append(target)
    assert not dead, f"{page.name}: {dead}"


def config_page() -> str:
    spec = importlib.util.spec_from_file_location(
        "config_keys", ROOT / "docs" / "site" / "config_keys.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.config_page()


def test_every_configuration_key_has_a_meaning():
    page = config_page()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert {field.name for field in fields(ExperimentConfig)} <= {
        row.split("`")[1] for row in rows
    }
    assert [row for row in rows if row.endswith("|  |")] == []


def test_ranges_are_those_that_the_dataclasses_accept():
    page = config_page()
    assert "| `dropout` | float | `0.5` | [0, 1) |" in page
    assert "| `blend` | float | `1.0` | (0, 1] |" in page
    assert "| `bootstrap` | int | `1000` | ≥ 100 |" in page
    assert "`constant`, `cosine`, `plateau`" in page
