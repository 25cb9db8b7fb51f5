"""Names in any script are drawn; what no font has is a box, and said once."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from gastric_keras.figures import plots as figures
from gastric_keras.support import fonts

MALIGNANT = "恶性肿瘤"
needs_chinese = pytest.mark.skipif(
    fonts.family_of("恶") is None, reason="needs a Chinese font (fonts-noto-cjk)"
)


@pytest.fixture
def no_chinese(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that has the fonts of Matplotlib only."""
    monkeypatch.setattr(fonts, "_installed", lambda: frozenset({"DejaVu Sans"}))
    monkeypatch.setattr(fonts, "_warned", set())
    fonts.family_of.cache_clear()
    yield
    fonts.family_of.cache_clear()


def drawn(classes: list[str]) -> np.ndarray:
    png = figures.plot_confusion(None, confusion=[[5, 1], [2, 9]], classes=classes)
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), int)


@needs_chinese
def test_a_chinese_name_is_drawn_letter_by_letter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (drawn(["良性", MALIGNANT]) != drawn(["良性", "恶性疾病"])).any()
    assert capsys.readouterr().err == ""


@needs_chinese
def test_each_text_gets_only_the_fonts_it_needs() -> None:
    figure = Figure()
    axes = figure.subplots()
    plain, mixed = axes.set_title("AUC ± 0.01"), figure.suptitle(f"case {MALIGNANT}")
    fonts.choose_fonts(figure)
    assert plain.get_fontfamily() == ["DejaVu Sans"]
    assert mixed.get_fontfamily() == ["DejaVu Sans", fonts.family_of("恶")]


def test_letters_without_a_font_are_boxes_and_said_once(
    no_chinese: None, capsys: pytest.CaptureFixture[str]
) -> None:
    boxed = drawn(["benign", MALIGNANT])
    error = capsys.readouterr().err
    assert error.startswith(
        "Warning: no font on this machine has the letters 性恶瘤肿."
    )
    assert "captions spell the names. Install a font" in error
    # The same boxes for any four letters; no second warning for known ones.
    assert (boxed == drawn(["benign", "恶恶恶恶"])).all()
    assert capsys.readouterr().err == ""


def test_boxes_take_the_place_in_titles_legends_and_ticks(no_chinese: None) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.plot([0, 1], label="甲")
    axes.set_title("乙")
    axes.set_xticks([0, 1], ["a", "丙"])
    figure.legend()
    fonts.choose_fonts(figure)
    figure.draw_without_rendering()
    shown = [t.get_text() for t in figure.findobj(Text) if t.get_visible()]
    assert shown.count(fonts.BOX) == 3 and "a" in shown
