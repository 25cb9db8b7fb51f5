"""TensorBoard in a real browser: the pictures of docs/TENSORBOARD.md.

    python -m tests.helpers.tensorboard_pages tensorboard_logs/GRID --run CELL

Starts ``tensorboard --logdir`` on a free port of this machine, opens four of its pages
in chromium as a user would, waits until what they show is there, and saves
``tensorboard_{scalars,images,hparams,projector}.png``. Needs chromium and the extra
``dev``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import FrameLocator, Locator, Page, sync_playwright

#: Seconds that a page may take.
PATIENCE = 180
#: How the features of t=2 are named in the projector.
T2 = "t=2 (target)"
#: What a user would set by hand: no smoothing and no point left out, as there are few;
#: no pane of settings, room for the names of the runs.
SETTINGS = {
    "scalarSmoothing": 0,
    "ignoreOutliers": False,
    "timeSeriesSettingsPaneOpened": False,
    "sideBarWidthInPercent": 30,
    "timeSeriesCardMinWidth": 300,
    "theme": "light",
}


def main() -> None:
    """Save the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("logdir", type=Path)
    parser.add_argument("--run", default="", help="whose curves and pictures are shown")
    parser.add_argument("--pages", nargs="+", default=list(PAGES), choices=PAGES)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args()
    with serve(options.logdir) as url:
        for name in options.pages:
            with open_browser(webgl=name == "projector") as page:
                PAGES[name](page, url, options.run)
                # Curves and points come in by an animation.
                page.wait_for_timeout(3000)
                save(page, options.out / f"tensorboard_{name}.png")


@contextmanager
def serve(logdir: Path) -> Iterator[str]:
    """TensorBoard over a folder, for as long as the context lasts.

    Yields:
        Its address.
    """
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir)]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if found := re.search(r"TensorBoard \S+ at (http://\S+)", line):
                yield found[1]
                return
        raise SystemExit(f"TensorBoard did not start:\n{said}")
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def open_browser(*, webgl: bool = False) -> Iterator[Page]:
    """A page of the chromium that is installed.

    Args:
        webgl: drawn in software. Only the projector needs it; without it the curves are
            SVG, which is quicker here and can be read.
    """
    gl = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", *(gl if webgl else ["--disable-3d-apis"])],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(1000 * PATIENCE)
        page.add_init_script(
            f"localStorage._tb_global_settings = {json.dumps(json.dumps(SETTINGS))}"
        )
        yield page
        browser.close()


def show_scalars(page: Page, url: str, *, runs: str = "") -> None:
    """Open the curves; returns when they are drawn."""
    page.goto(f"{url}?runFilter={runs}&tagFilter=scores|rate|second#timeseries")
    page.locator("scalar-card line-chart svg path").first.wait_for(state="attached")


def show_images(page: Page, url: str, *, runs: str = "") -> None:
    """Open the pictures of validation and of augmented malignant patches; returns when
    those in view are loaded."""
    page.goto(
        f"{url}?runFilter={runs}&tagFilter=validation|augmented_malignant#timeseries"
    )
    page.locator("image-card img").first.wait_for()
    page.wait_for_function(
        "[...document.querySelectorAll('image-card img')].every(i => i.naturalWidth)"
    )


def show_hparams(page: Page, url: str) -> None:
    """Open the table of a grid; returns when it is filled."""
    page.goto(f"{url}#hparams")
    page.get_by_text("Trial ID").locator("visible=true").first.wait_for()


def show_projector(page: Page, url: str, *, tensor: str) -> FrameLocator:
    """Open the points of one stage, colored by label; returns when they are there.

    Args:
        page: with WebGL.
        url: of TensorBoard.
        tensor: name of the stage's features.

    Returns:
        The projector, which is a page in a page in the page.
    """
    page.goto(f"{url}#projector")
    frame = page.frame_locator("iframe").frame_locator("iframe")
    points = frame.locator(".numDataPoints").filter(has_text=re.compile("[1-9]"))
    points.wait_for()
    _choose(frame.locator("paper-listbox", has_text=tensor), tensor)
    points.wait_for()
    _choose(frame.locator("#colorby paper-listbox"), "label")
    frame.locator("vz-projector-legend").first.wait_for()
    frame.get_by_text("Total variance described").wait_for()
    return frame


def _choose(box: Locator, value: str) -> None:
    # By script: the open list would lie in its own layer, and close when it likes.
    box.first.evaluate("(box, value) => box.select(value)", value)


#: Name of a picture -> how its page is opened: browser page, address, run.
PAGES: dict[str, Callable[[Page, str, str], object]] = {
    # Of a cell of a grid, with the t=1 that it shares.
    "scalars": lambda page, url, run: show_scalars(page, url, runs=f"^({run}/|mid-)"),
    "images": lambda page, url, run: show_images(page, url, runs=f"^{run}/"),
    "hparams": lambda page, url, run: show_hparams(page, url),
    "projector": lambda page, url, run: show_projector(page, url, tensor=T2),
}


def save(page: Page, path: Path) -> None:
    """The page as PNG, of 256 colors where it would be too large for docs/."""
    page.screenshot(path=path)
    if path.stat().st_size > 300_000:
        Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
