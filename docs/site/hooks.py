"""Pages of the site that are generated: home, API reference, configuration keys.

MkDocs calls the ``on_…`` functions (see mkdocs.yml). The pages exist in memory only, so
they cannot go stale: the reference follows the folders, and the keys follow the
dataclasses.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gastric_keras", "data_prep")
#: File at the root of the repository -> its name on the site.
ROOT_FILES = {
    "README.md": "index.md",
    "README.zh.md": "README.zh.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "LICENSE": "LICENSE.txt",
    "CITATION.cff": "CITATION.cff",
}
NOTEBOOK, NOTEBOOK_PAGE = "walkthrough.ipynb", "WALKTHROUGH.md"
#: Material loads this from the network when pages are opened from a disk.
_SHIM = "https://unpkg.com/iframe-worker/shim"
_LOCAL_SHIM = "assets/javascripts/iframe-worker.js"
_LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the reference pages to the navigation."""
    # Here and not above: MkDocs puts the path back after it has read the hooks.
    sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
    for entry in config.nav or ():
        if "API reference" in entry:
            entry["API reference"] = [
                {title: path} for title, path, _ in _reference_pages()
            ]
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the generated pages to those of ``docs/``."""
    from config_keys import config_page

    for name, target in ROOT_FILES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        if target.endswith(".md"):
            text = _relink(text, at_root=True)
        files.append(File.generated(config, target, content=text))
    for _, path, text in _reference_pages():
        files.append(File.generated(config, path, content=text))
    files.append(File.generated(config, "CONFIG.md", content=config_page()))
    notebook = (ROOT / "docs" / NOTEBOOK).read_text(encoding="utf-8")
    page = _relink(_notebook_page(notebook), at_root=False)
    files.append(File.generated(config, NOTEBOOK_PAGE, content=page))
    shim = (Path(__file__).parent / "iframe-worker.js").read_text(encoding="utf-8")
    files.append(File.generated(config, _LOCAL_SHIM, content=shim))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Links of a page in ``docs/`` that lead out of that folder."""
    if page.file.src_uri in ROOT_FILES.values():
        return markdown
    return _relink(markdown, at_root=False)


def on_post_page(output: str, *, page: Page, **_: Any) -> str:
    """Search from a disk, and without a network."""
    return output.replace(_SHIM, "../" * page.url.count("/") + _LOCAL_SHIM)


def _relink(text: str, *, at_root: bool) -> str:
    """Turn links that work on the repository's pages into links of the site."""

    def replace(found: re.Match[str]) -> str:
        before, target, anchor, after = found.groups()
        if at_root and target.startswith("docs/"):
            target = target.removeprefix("docs/")
        elif at_root and target in ROOT_FILES:
            target = ROOT_FILES[target]
        elif not at_root and target.removeprefix("../") in ROOT_FILES:
            target = ROOT_FILES[target.removeprefix("../")]
        if target == NOTEBOOK:
            target = NOTEBOOK_PAGE
        return f"{before}{target}{anchor or ''}{after}"

    return _LINK.sub(replace, text)


def _notebook_page(text: str) -> str:
    """The cells of a notebook as Markdown."""
    cells = [(c["cell_type"], "".join(c["source"])) for c in json.loads(text)["cells"]]
    return "\n\n".join(
        f"```python\n{source}\n```" if kind == "code" else source
        for kind, source in cells
    )


def _reference_pages() -> list[tuple[str, str, str]]:
    """One page a folder: title, path on the site, Markdown."""
    pages = []
    for package in PACKAGES:
        for folder in [ROOT / package, *sorted(_folders(ROOT / package))]:
            name = ".".join(folder.relative_to(ROOT).parts)
            text = f"# {name}\n\n::: {name}\n    options: {{members: false}}\n\n"
            for module in sorted(folder.glob("*.py")):
                if module.stem.startswith("_"):
                    continue
                text += f"## {module.stem}\n\n::: {name}.{module.stem}\n\n"
            pages.append((name, f"reference/{name}.md", text))
    return pages


def _folders(package: Path) -> list[Path]:
    return [path.parent for path in package.glob("*/**/__init__.py")]
