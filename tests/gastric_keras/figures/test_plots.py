"""Plots are looked at by people; here: whole, small, and of what was given."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gastric_keras.figures import plots as figures
from gastric_keras.figures.blocks import _mosaics
from gastric_keras.figures.filters import mosaic
from gastric_keras.figures.overlay import lay_over
from gastric_keras.figures.responses import most_changed
from gastric_keras.figures.style import LARGEST_FILE, color_of, style_of
from gastric_keras.statistics.referral import ReferralCurve
from gastric_keras.support.errors import InputError

RNG = np.random.default_rng(0)
LABEL = RNG.integers(0, 2, 300)
SCORE = np.clip(0.5 + 0.3 * (LABEL - 0.5) + RNG.normal(0, 0.2, 300), 0, 1)
REFERRAL = ReferralCurve((0, 0.5, 0.9), (0.8, 0.9, 1), (0.7, 0.8, 0.9), (0.9, 1, 1))
HISTORY = {
    "epoch": [0, 1, 2],
    "loss": [0.7, 0.5, 0.4],
    "val_loss": [0.8, 0.6, 0.6],
    "val_auc": [0.6, 0.9, 0.8],
}


def curve(name: str = "one stage", threshold: float | None = 0.5) -> figures.Curve:
    return figures.Curve(name, LABEL, SCORE, (0.85, 0.81, 0.89), threshold)


def open_png(png: bytes) -> np.ndarray:
    """(h, w, 3) int, after the checks that every plot must pass."""
    assert len(png) < LARGEST_FILE
    picture = Image.open(io.BytesIO(png))
    assert picture.format == "PNG"
    return np.asarray(picture.convert("RGB"), int)


def has_color(picture: np.ndarray, color: str) -> bool:
    rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((np.abs(picture - rgb).max(axis=2) <= 2).sum() > 20)


def all_plots(path: Path | None = None) -> dict[str, bytes]:
    stages = {f"t={i}": RNG.random((28, 28, 12)) for i in range(3)}
    return {
        "history": figures.plot_history(path, history=HISTORY, title="t=2"),
        "roc": figures.plot_roc(path, curves=[curve()]),
        "pr": figures.plot_precision_recall(path, curves=[curve()]),
        "reliability": figures.plot_reliability(
            path, label=LABEL, scores={"this": SCORE}
        ),
        "confusion": figures.plot_confusion(
            path, confusion=[[5, 1], [0, 9]], classes=["benign", "malignant"]
        ),
        "differences": figures.plot_differences(
            path, rows=[figures.Difference("VGG-16", 0.03, 0.01, 0.05)]
        ),
        "referral": figures.plot_referral(
            path, curves={"entropy": REFERRAL, "spread": REFERRAL}
        ),
        "responses": figures.plot_responses(
            path,
            patch=RNG.integers(0, 256, (224, 224, 3), np.uint8),
            responses=stages,
            title="block1_conv1",
        ),
        "blocks": figures.plot_blocks(
            path,
            patch=RNG.integers(0, 256, (224, 224, 3), np.uint8),
            responses={
                f"t={i}": {
                    "block1": RNG.random((56, 56, 6)),
                    "b": RNG.random((9, 9, 3)),
                }
                for i in range(3)
            },
            title="blocks",
        ),
        "filters": figures.plot_filters(
            path,
            kernels={f"t={i}": RNG.normal(size=(3, 3, 3, 32)) for i in range(3)},
            title="kernels",
        ),
        "overlay": figures.plot_overlay(
            path,
            patch=RNG.integers(0, 256, (224, 224, 3), np.uint8),
            evidence=RNG.random((7, 7)),
            title="a case, called malignant " * 4,
        ),
    }


def test_every_plot_is_a_small_png_that_no_edge_cuts() -> None:
    for name, png in all_plots().items():
        picture = open_png(png)
        edge = [picture[:2], picture[-2:], picture[:, :2], picture[:, -2:]]
        assert all((part == 255).all() for part in edge), name
        assert (picture < 128).any(), name


def test_the_file_holds_the_bytes_returned(tmp_path: Path) -> None:
    path = tmp_path / "made" / "roc.png"
    assert figures.plot_roc(path, curves=[curve()]) == path.read_bytes()


def test_several_curves_have_their_own_colors() -> None:
    one = open_png(figures.plot_roc(None, curves=[curve()]))
    two = open_png(figures.plot_roc(None, curves=[curve(), curve("two stages")]))
    assert has_color(one, color_of(0)) and not has_color(one, color_of(1))
    assert has_color(two, color_of(1))
    styles = [(style_of(i)["color"], str(style_of(i)["ls"])) for i in range(35)]
    assert len(set(styles)) == 35


def test_the_operating_point_lies_where_the_threshold_says() -> None:
    """The ring is drawn around (false positive rate, sensitivity)."""
    with_ring = open_png(figures.plot_roc(None, curves=[curve(threshold=0.35)]))
    elsewhere = open_png(figures.plot_roc(None, curves=[curve(threshold=0.65)]))
    changed = np.argwhere((with_ring != elsewhere).any(axis=2))
    left, right = changed[:, 1].min(), changed[:, 1].max()
    high = ((SCORE >= 0.35) & (LABEL == 0)).sum() / (LABEL == 0).sum()
    low = ((SCORE >= 0.65) & (LABEL == 0)).sum() / (LABEL == 0).sum()
    axis = np.argwhere((with_ring == 0).all(axis=2))
    width = axis[:, 1].max() - axis[:, 1].min()
    # Both rings have the same radius, so their outer edges differ by two radii.
    assert right - left == pytest.approx((high - low) * width, abs=0.1 * width)


@pytest.mark.parametrize(
    "history",
    [
        {"epoch": [0], "loss": [0.7]},
        {"epoch": [0, 1], "loss": [0.7, 0.5], "val_auc": [float("nan")] * 2},
    ],
)
def test_a_short_history_is_drawn(history: dict) -> None:
    open_png(figures.plot_history(None, history=history, title="t=1"))


def test_a_difference_without_interval_is_a_point() -> None:
    rows = [figures.Difference("a", 0.1), figures.Difference("b", -0.1, -0.2, 0.0)]
    open_png(figures.plot_differences(None, rows=rows, published=(0.016, 0.053)))
    with pytest.raises(InputError, match=r", got \(\). Give finished runs"):
        figures.plot_differences(None, rows=[])


def test_channels_come_in_the_order_of_their_change() -> None:
    first = np.zeros((4, 4, 5))
    last = first + np.array([0.1, -3.0, 0.0, 2.0, 0.5])
    middle = first + np.array([9.0, 0, 0, 0, 0])
    assert most_changed([first, middle, last], 3).tolist() == [1, 3, 4]
    spread = np.linspace(-1, 1, 16).reshape(4, 4, 1) * np.array([1.0, 3.0, 2.0])
    assert most_changed([spread + [50, 0, 0]], 8).tolist() == [1, 2, 0]


def test_responses_of_one_stage_and_of_dead_channels() -> None:
    patch = np.full((8, 8, 3), 200, np.uint8)
    dead = {"t=2": np.zeros((8, 8, 4))}
    open_png(figures.plot_responses(None, patch=patch, responses=dead, title="conv1"))


@pytest.mark.parametrize(
    "responses, words",
    [
        ({}, ", got {}. Take"),
        ({"t=0": np.zeros((4, 4, 2)), "t=1": np.zeros((5, 5, 2))}, r"'t=1': (5, 5, 2)"),
        ({"t=0": np.zeros((4, 4))}, "of one shape (h, w, c)"),
    ],
)
def test_responses_of_other_shapes_are_refused(responses: dict, words: str) -> None:
    with pytest.raises(InputError) as caught:
        figures.plot_responses(
            None, patch=np.zeros((4, 4, 3), np.uint8), responses=responses, title="x"
        )
    assert words in str(caught.value)
    assert "Take the same layer" in str(caught.value)


def test_blocks_that_differ_between_stages_are_refused() -> None:
    one, other = np.zeros((4, 4, 2)), np.zeros((5, 4, 2))
    for responses in ({}, {"t=0": {"b": one}, "t=1": {"b": other}}, {"t=0": {}}):
        with pytest.raises(InputError, match="same blocks and shapes, got stages="):
            figures.plot_blocks(
                None, patch=np.zeros((4, 4, 3), np.uint8), responses=responses, title=""
            )


def test_a_channel_has_one_scale_in_all_stages() -> None:
    first = np.arange(8.0).reshape(2, 2, 2)
    before, after = _mosaics([first, 2 * first], [1, 0])
    # Channel 1 goes from 1 to 14, channel 0 from 0 to 12; no third or fourth.
    assert before.shape == (5, 5) and np.isnan(before[2:]).all()
    np.testing.assert_allclose(before[:2, :2], (first[..., 1] - 1) / 13)
    np.testing.assert_allclose(after[:2, 3:], first[..., 0] / 6)


def test_kernels_lie_in_the_order_of_their_change() -> None:
    """Gray is 0, white the line between; what changed is magnified to the full."""
    kernels = np.zeros((1, 1, 3, 4))
    kernels[0, 0, :, 0] = (1, 0, -1)
    kernels[0, 0, :, 2] = (0, 0.5, 0)
    shown = mosaic(kernels)
    assert shown.shape == (3, 3, 3) and (shown[1] == 1).all()
    assert shown[0, 0].tolist() == [1, 0.5, 0] and shown[0, 2].tolist() == [0.5] * 3
    assert shown[2, 0].tolist() == [0.5, 0.75, 0.5]
    after = kernels.copy()
    after[0, 0, 0, 3] = 0.2
    pictures = [
        open_png(figures.plot_filters(None, kernels=k, title="x"))
        for k in ({"t=0": kernels}, {"t=0": kernels, "t=2": after})
    ]
    assert pictures[1].shape[1] > 2 * pictures[0].shape[1]


@pytest.mark.parametrize(
    "kernels",
    [{}, {"t=0": np.zeros((3, 3, 4, 8))}, {"a": np.zeros((3, 3, 3))}],
)
def test_kernels_that_are_no_color_pictures_are_refused(kernels: dict) -> None:
    with pytest.raises(InputError, match="Take the first convolution of one network"):
        figures.plot_filters(None, kernels=kernels, title="x")


def test_the_overlay_is_brightest_where_the_evidence_is() -> None:
    patch = np.full((40, 60, 3), 128, np.uint8)
    evidence = np.zeros((4, 6))
    evidence[3, 1] = 7.0
    light = lay_over(patch, evidence).mean(axis=2)
    assert light.shape == (40, 60)
    row, column = np.unravel_index(light.argmax(), light.shape)
    assert 30 <= row < 40 and 10 <= column < 20
    # Nothing speaks for the call: no place stands out.
    covered = lay_over(patch, np.zeros((4, 6)))
    assert np.ptp(covered, axis=(0, 1)).max() < 1e-9


@pytest.mark.parametrize("evidence", [np.zeros(4), np.full((2, 2), np.nan), [[-1.0]]])
def test_evidence_that_is_none_is_refused(evidence: np.ndarray) -> None:
    with pytest.raises(InputError, match="Pass one map of decision_maps"):
        lay_over(np.zeros((8, 8, 3), np.uint8), evidence)


def test_noise_is_still_a_small_file() -> None:
    noise = {f"t={i}": RNG.random((224, 224, 16)) for i in range(3)}
    patch = RNG.integers(0, 256, (224, 224, 3), np.uint8)
    png = figures.plot_responses(
        None, patch=patch, responses=noise, title="noise", channels=16
    )
    open_png(png)


def test_neither_pyplot_nor_tensorflow_is_loaded() -> None:
    code = (
        "import sys, gastric_keras.figures; sys.exit(any("
        "m in sys.modules for m in ('tensorflow', 'keras', 'matplotlib.pyplot')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
