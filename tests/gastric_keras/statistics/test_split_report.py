"""Each score against an independent source: scikit-learn, brute force, or by hand."""

from __future__ import annotations

import dataclasses
import json
import pkgutil
import subprocess
import sys

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm, t
from sklearn import metrics as sk

import gastric_keras.statistics
from gastric_keras.statistics.bootstrap import cluster_bootstrap
from gastric_keras.statistics.delong import auc_interval, pooled_auc_test
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.paired import holm, pool_differences
from gastric_keras.statistics.split_report import case_means, report
from gastric_keras.statistics.thresholds import best_threshold
from gastric_keras.support.errors import InputError
from tests.helpers.paired_tests import paired_auc_test, paired_cluster_bootstrap


def sample(
    seed: int, n: int = 200, cases: int = 25, ties: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Label, two scores and case ids; scores rounded so that ties occur."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n)
    base = 0.5 + 0.15 * (label - 0.5) + rng.normal(0, 0.15, n)
    score_a = np.clip(base + rng.normal(0, 0.1, n), 0, 1)
    score_b = np.clip(base + 0.1 * (label - 0.5) + rng.normal(0, 0.05, n), 0, 1)
    if ties:
        score_a, score_b = score_a.round(1), score_b.round(2)
    case = np.array([f"case{i:02d}" for i in rng.integers(0, cases, n)])
    return label, score_a, score_b, case


def brute_delong(label: np.ndarray, scores: np.ndarray) -> tuple:
    """AUCs and covariance by every pair, as the paper of 1988 writes them."""
    positive, negative = scores[:, label == 1], scores[:, label == 0]
    gap = positive[:, :, None] - negative[:, None, :]
    psi = (gap > 0) + 0.5 * (gap == 0)
    v10, v01 = psi.mean(axis=2), psi.mean(axis=1)
    m, n = psi.shape[1:]
    auc = psi.mean(axis=(1, 2))
    s10 = (v10 - auc[:, None]) @ (v10 - auc[:, None]).T / (m - 1)
    s01 = (v01 - auc[:, None]) @ (v01 - auc[:, None]).T / (n - 1)
    return auc, s10 / m + s01 / n


@pytest.mark.parametrize("seed", range(4))
def test_auc_interval_equals_brute_force_and_scikit_learn(seed: int) -> None:
    label, score, _, _ = sample(seed)
    auc, low, high = auc_interval(label, score, confidence=0.9)
    expected, covariance = brute_delong(label, score[None])
    half = norm.ppf(0.95) * covariance[0, 0] ** 0.5
    assert auc == pytest.approx(sk.roc_auc_score(label, score), abs=1e-12)
    assert (low, high) == pytest.approx((expected[0] - half, expected[0] + half))


def test_auc_interval_by_hand() -> None:
    # Positives 0.35, 0.8 against negatives 0.1, 0.4: three of four pairs in order.
    # V10 = (1/2, 1), V01 = (1, 1/2): each variance 1/8, var = 1/8/2 + 1/8/2 = 1/8.
    auc, low, high = auc_interval([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    assert auc == 0.75
    assert low == pytest.approx(0.75 - 1.959964 * 0.125**0.5, abs=1e-6)
    assert high == 1.0


@pytest.mark.parametrize(
    "score, expected",
    [([0.1, 0.2, 0.3, 0.4], 1.0), ([0.4, 0.3, 0.2, 0.1], 0.0), ([0.5] * 4, 0.5)],
)
def test_a_variance_of_zero_is_no_certainty(score: list, expected: float) -> None:
    auc, low, high = auc_interval([0, 0, 1, 1], score)
    agreement = 0.025**0.5  # two disjoint pairs
    assert auc == expected
    assert (low, high) == pytest.approx(
        (agreement * expected, agreement * expected + 1 - agreement)
    )


@pytest.mark.parametrize("seed", range(4))
def test_paired_test_equals_brute_force(seed: int) -> None:
    label, a, b, _ = sample(seed)
    test = paired_auc_test(label, a, b)
    auc, cov = brute_delong(label, np.stack([a, b]))
    error = (cov[0, 0] + cov[1, 1] - 2 * cov[0, 1]) ** 0.5
    z = (auc[1] - auc[0]) / error
    assert test.difference == pytest.approx(auc[1] - auc[0], abs=1e-12)
    assert test.z == pytest.approx(z)
    assert test.p_value == pytest.approx(2 * norm.sf(abs(z)))
    assert (test.low, test.high) == pytest.approx(
        (test.difference - 1.959964 * error, test.difference + 1.959964 * error),
        abs=1e-6,
    )
    swapped = paired_auc_test(label, b, a)
    assert swapped.difference == pytest.approx(-test.difference)
    assert swapped.p_value == pytest.approx(test.p_value)


def test_paired_test_without_variance() -> None:
    label = [0, 0, 1, 1]
    same = paired_auc_test(label, [0.1, 0.4, 0.3, 0.8], [0.1, 0.4, 0.3, 0.8])
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    assert "no variance" in str(same.reason)
    odd = paired_auc_test(label, [0.5] * 4, [0.1, 0.2, 0.3, 0.4])
    assert odd.difference == 0.5 and odd.p_value is None and odd.low is None
    assert "constant or perfect" in str(odd.reason)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("threshold", [0.5, 0.43])
def test_scores_equal_scikit_learn(seed: int, threshold: float) -> None:
    label, score, _, case = sample(seed)
    scores = cluster_bootstrap(
        label, score, case, threshold=threshold, draws=Draws(100)
    )
    called = (score >= threshold).astype(int)
    mean = {"average": "macro", "zero_division": 0}
    expected = {
        "auc": sk.roc_auc_score(label, score),
        "pr_auc": sk.average_precision_score(label, score),
        "brier": sk.brier_score_loss(label, score),
        "accuracy": sk.accuracy_score(label, called),
        "sensitivity": sk.recall_score(label, called),
        "specificity": sk.recall_score(label, called, pos_label=0),
        "precision": sk.precision_score(label, called),
        "f1": sk.f1_score(label, called),
        "precision_class_average": sk.precision_score(label, called, **mean),
        "recall_class_average": sk.recall_score(label, called, **mean),
    }
    assert set(scores) == set(expected) | {"ece"}
    for name, value in expected.items():
        assert scores[name].value == pytest.approx(value, abs=1e-12), name
    for name, found in scores.items():
        assert found.low <= found.value <= found.high, name
        assert found.low < found.high and found.method == "bootstrap", name


def test_calibration_error_by_hand() -> None:
    # Bin [0.1, 0.2): mean 0.15, none positive. Bin [0.9, 1]: mean 0.95, half positive.
    scores = cluster_bootstrap(
        [0, 0, 1, 0], [0.1, 0.2 - 1e-12, 0.9, 1.0], list("abcd"), draws=Draws(100)
    )
    assert scores["ece"].value == pytest.approx(0.5 * 0.15 + 0.5 * 0.45)
    assert scores["brier"].value == pytest.approx((0.01 + 0.04 + 0.01 + 1) / 4)


def test_bootstrap_equals_resampling_rows() -> None:
    """The weights must give what copying the drawn rows and scikit-learn give."""
    label, a, _, case = sample(3, n=60, cases=9)
    b = a + np.random.default_rng(0).normal(0, 0.2, 60)
    names, index = np.unique(case, return_inverse=True)
    rng = np.random.default_rng(5)
    auc, average, ece_free, difference = [], [], [], []
    for pick in rng.integers(len(names), size=(200, len(names))):
        rows = np.concatenate([np.flatnonzero(index == i) for i in pick])
        auc.append(sk.roc_auc_score(label[rows], a[rows]))
        average.append(sk.average_precision_score(label[rows], a[rows]))
        ece_free.append(sk.f1_score(label[rows], a[rows] >= 0.5))
        difference.append(sk.roc_auc_score(label[rows], b[rows]) - auc[-1])
    scores = cluster_bootstrap(label, a, case, draws=Draws(200, seed=5))
    for name, drawn in (("auc", auc), ("pr_auc", average), ("f1", ece_free)):
        # Each of the nine cases holds both classes; the AUC spends a degree on each.
        value, degrees = scores[name].value, 8 if name == "f1" else 7
        error = np.std(drawn, ddof=1) * (9 / 8) ** 0.5
        half = t.ppf(0.975, degrees) * error / (value * (1 - value))
        found = (scores[name].low, scores[name].high)
        assert found == pytest.approx(expit(logit(value) + half * np.array([-1, 1])))
    paired = paired_cluster_bootstrap(label, a, b, case, draws=Draws(200, seed=5))
    tail = norm.sf((9 / 8) ** 0.5 * t.ppf(0.975, 8))
    assert (paired.low, paired.high) == pytest.approx(
        np.quantile(difference, [tail, 1 - tail])
    )
    share = min(np.less(difference, 0).mean(), np.greater(difference, 0).mean())
    assert paired.p_value == pytest.approx(
        2 * t.sf(norm.isf(share) / (9 / 8) ** 0.5, 8)
    )
    assert (paired.cases, paired.draws, paired.reason) == (9, 200, None)


def test_the_order_of_rows_and_the_chunks_do_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    label, a, b, case = sample(1)
    turn = np.random.default_rng(0).permutation(label.size)
    before = cluster_bootstrap(label, a, case, draws=Draws(150))
    monkeypatch.setattr("gastric_keras.statistics.bootstrap.CHUNK", 1000)
    after = cluster_bootstrap(label[turn], a[turn], case[turn], draws=Draws(150))
    for name, score in before.items():
        assert (score.value, score.low, score.high) == pytest.approx(
            (after[name].value, after[name].low, after[name].high), abs=1e-12
        ), name
    assert auc_interval(label[turn], a[turn]) == pytest.approx(auc_interval(label, a))
    assert best_threshold(label[turn], a[turn]) == best_threshold(label, a)


def test_copied_patches_narrow_delong_but_not_the_clustered_interval() -> None:
    label, a, _, _ = sample(2, n=60)
    case = np.array([f"c{i}" for i in range(60)])
    once = cluster_bootstrap(label, a, case)["auc"]
    many = cluster_bootstrap(*(np.repeat(v, 9) for v in (label, a, case)))["auc"]
    assert (once.low, once.high) == pytest.approx((many.low, many.high))
    single, nine = auc_interval(label, a), auc_interval(label.repeat(9), a.repeat(9))
    assert nine[2] - nine[1] == pytest.approx((single[2] - single[1]) / 3, rel=0.02)


def test_identical_scores_differ_by_nothing() -> None:
    label, a, _, case = sample(4)
    paired = paired_cluster_bootstrap(label, a, a, case, draws=Draws(100))
    assert (paired.difference, paired.low, paired.high, paired.p_value) == (0, 0, 0, 1)


def test_a_perfect_score_is_no_certainty() -> None:
    label = np.repeat([0, 1], 10)
    case = np.array([f"c{i // 2}" for i in range(20)])
    scores = cluster_bootstrap(label, label * 0.8 + 0.1, case, draws=Draws(200))
    for name, cases in (("auc", 5), ("accuracy", 10), ("sensitivity", 5)):
        score = scores[name]
        assert (score.value, score.high, score.method) == (1.0, 1.0, "exact"), name
        assert score.low == pytest.approx(0.025 ** (1 / cases)), name
    assert scores["brier"].low is None
    assert "same value" in str(scores["brier"].reason)


def test_best_threshold_equals_the_best_of_scikit_learn() -> None:
    for seed in range(5):
        label, score, _, _ = sample(seed)
        threshold = best_threshold(label, score)
        called = score >= threshold
        youden = called[label == 1].mean() - called[label == 0].mean()
        false_rate, true_rate, _ = sk.roc_curve(label, score)
        assert youden == pytest.approx(np.max(true_rate - false_rate), abs=1e-12)


@pytest.mark.parametrize(
    "label, score, expected",
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], 0.25),  # midpoint of the gap
        ([0, 0, 1, 1], [0.1, 0.4, 0.8, 0.9], 0.5),  # 0.5 itself parts them
        ([0, 1, 0, 1], [0.1, 0.2, 0.8, 0.9], 0.15),  # 0.15 and 0.85 tie: the lower
        ([1, 1, 0, 0], [0.1, 0.2, 0.3, 0.4], 0.5),  # nothing helps: call none
    ],
)
def test_best_threshold_rule(label: list, score: list, expected: float) -> None:
    assert best_threshold(label, score) == pytest.approx(expected)


def test_best_threshold_between_neighboring_doubles() -> None:
    low = 0.3
    high = np.nextafter(low, 1)
    assert best_threshold([0, 1], [low, high]) == high


def test_report_per_patch_and_per_case() -> None:
    label = [1, 1, 0, 0, 1, 0]
    score = [0.9, 0.5, 0.2, 0.4, 0.3, 0.6]
    case = ["a", "a", "b", "b", "c", "c"]
    found = report(label, score, case, threshold=0.44, draws=Draws(100))
    assert (found.n, found.cases, found.positives, found.mixed_cases) == (6, 3, 3, 1)
    assert found.patch.at_threshold.confusion == ((2, 1), (1, 2))
    assert found.patch.at_threshold.scores["accuracy"].value == pytest.approx(4 / 6)
    # Cases: a 0.7 positive, b 0.3 negative, c 0.45 positive because one patch is.
    assert (found.case.n, found.case.positives) == (3, 2)
    assert found.case.at_half.confusion == ((1, 0), (1, 1))
    assert found.case.at_threshold.confusion == ((1, 0), (0, 2))
    assert found.case.scores["auc"].value == 1.0
    assert found.patch.scores["auc_delong"].method == "delong"
    names, case_label, mean = case_means(label, score, case)
    assert (names.tolist(), case_label.tolist()) == (["a", "b", "c"], [1, 0, 1])
    assert mean == pytest.approx([0.7, 0.3, 0.45])


@pytest.mark.parametrize(
    "label, score, case",
    [
        ([1, 1, 1], [0.2, 0.3, 0.9], ["a", "b", "c"]),
        ([0, 0], [0.2, 0.3], ["a", "b"]),
        ([0, 1, 1], [0.2, 0.3, 0.4], ["a", "a", "a"]),
        ([1], [0.7], ["a"]),
        ([0, 1], [0.5, 0.5], ["a", "b"]),
    ],
)
def test_what_is_not_defined_is_none_with_a_reason(
    label: list, score: list, case: list
) -> None:
    found = report(label, score, case, threshold=0.6, draws=Draws(100))
    text = json.dumps(dataclasses.asdict(found), allow_nan=False)
    assert json.loads(text)["patch"]["n"] == len(label)
    for unit in (found.patch, found.case):
        for score_ in (
            *unit.scores.values(),
            *unit.at_half.scores.values(),
            *unit.at_threshold.scores.values(),
        ):
            has_all = None not in (score_.value, score_.low, score_.high)
            assert has_all == (score_.reason is None)
            assert has_all == (score_.method is not None)


def test_reasons_in_words() -> None:
    one_class = cluster_bootstrap([1, 1], [0.2, 0.3], ["a", "b"], draws=Draws(100))
    assert "every row is positive" in str(one_class["auc"].reason)
    assert "needs negatives" in str(one_class["specificity"].reason)
    assert "called positive" in str(one_class["precision"].reason)
    all_called = cluster_bootstrap([0, 1], [0.7, 0.8], ["a", "b"], draws=Draws(100))
    assert "called negative" in str(all_called["precision_class_average"].reason)
    assert "only" in str(all_called["auc"].reason)
    negatives = cluster_bootstrap([0, 0], [0.2, 0.3], ["a", "b"], draws=Draws(100))
    assert "needs positives" in str(negatives["sensitivity"].reason)
    assert "none is called" in str(negatives["f1"].reason)
    one_case = cluster_bootstrap([0, 1], [0.2, 0.3], ["a", "a"], draws=Draws(100))
    assert "one case only" in str(one_case["auc"].reason)
    paired = paired_cluster_bootstrap(
        [0, 1], [0.1, 0.2], [0.2, 0.1], ["a", "a"], draws=Draws(100)
    )
    assert paired.low is None and "one case only" in str(paired.reason)


@pytest.mark.parametrize(
    "label, score, case, words",
    [
        ([0, 1], [0.1], ["a", "b"], "score.shape=(1,)"),
        ([[0, 1]], [[0.1, 0.2]], ["a"], "one axis"),
        ([], [], [], "at least one row"),
        ([0, 2], [0.1, 0.2], ["a", "b"], "Labels must be 0 and 1"),
        (["x", "y"], [0.1, 0.2], ["a", "b"], "Code the positive class as 1"),
        ([0, np.nan], [0.1, 0.2], ["a", "b"], "Labels must be 0 and 1"),
        ([0, 1], ["p", "q"], ["a", "b"], "2 of 2 values NaN"),
        ([0, 1], [0.1, 1.2], ["a", "b"], "not logits"),
        ([0, 1], [0.1, 0.2], ["a"], "shape (2,), got (1,)"),
    ],
)
def test_bad_input(label: list, score: list, case: list, words: str) -> None:
    with pytest.raises(InputError) as caught:
        report(label, score, case, threshold=0.5)
    assert words in str(caught.value) and ", got " in str(caught.value)


def test_the_parts_refuse_what_is_no_number() -> None:
    for use in (auc_interval, best_threshold):
        with pytest.raises(
            InputError, match="1 of 2 values NaN, infinite or not a num"
        ):
            use([0, 1], [0.1, np.nan])


def test_bad_settings() -> None:
    label, a, b, case = sample(0, n=20)
    with pytest.raises(InputError, match=r"\(0, 1\), got 95\. 0\.95 is usual"):
        auc_interval(label, a, confidence=95)
    with pytest.raises(InputError, match=r"threshold must be in \[0, 1\], got 1.5"):
        report(label, a, case, threshold=1.5)
    with pytest.raises(InputError, match="2 positive, 1 negative. Use a larger"):
        paired_auc_test([0, 1, 1], a[:3], b[:3])
    with pytest.raises(InputError, match="on patches of both classes, got 2 times 1"):
        best_threshold([1, 1], [0.1, 0.2])


def test_coverage_of_delong_and_of_the_clustered_interval() -> None:
    """Short form; issue 5 has the long one. Normal scores: true AUC = Φ(d/√2)."""
    rng = np.random.default_rng(11)
    truth, repeats = norm.cdf(1 / 2**0.5), 400
    hits = 0
    for _ in range(repeats):
        score = np.concatenate([rng.normal(0, 1, 60), rng.normal(1, 1, 60)])
        _, low, high = auc_interval(np.repeat([0, 1], 60), score)
        hits += low <= truth <= high
    assert 0.92 <= hits / repeats <= 0.98
    bold = clustered = 0
    for seed in range(repeats // 2):
        # Half of the variance belongs to the case: eight patches of one case are
        # no eight witnesses.
        case = np.repeat(np.arange(60), 8)
        label = (case >= 30).astype(int)
        score = rng.normal(0, 0.5**0.5, 60)[case] + rng.normal(0, 0.5**0.5, 480)
        score = norm.cdf(score + label)
        drawn = cluster_bootstrap(label, score, case, draws=Draws(200, seed=seed))
        drawn = drawn["auc"]
        clustered += drawn.low <= truth <= drawn.high
        _, low, high = auc_interval(label, score)
        bold += low <= truth <= high
    assert bold / (repeats // 2) < 0.8
    assert 0.88 <= clustered / (repeats // 2) <= 0.99


def test_statistics_never_load_tensorflow() -> None:
    folder = gastric_keras.statistics
    names = [
        m.name for m in pkgutil.iter_modules(folder.__path__, folder.__name__ + ".")
    ]
    assert len(names) > 5
    code = (
        f"import sys, {', '.join(names)}; "
        "sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_pooled_delong_is_the_contrast_of_all_aucs() -> None:
    label, a, b, _ = sample(7)
    _, c, d, _ = sample(8)
    test = pooled_auc_test(label, [a, c], [b, d])
    auc, covariance = brute_delong(label, np.stack([a, c, b, d]))
    contrast = np.array([-0.5, -0.5, 0.5, 0.5])
    assert test.difference == pytest.approx(contrast @ auc)
    assert test.z == pytest.approx(
        contrast @ auc / (contrast @ covariance @ contrast) ** 0.5
    )
    # The same seed twice is no more evidence than once.
    once, twice = paired_auc_test(label, a, b), pooled_auc_test(label, [a] * 2, [b] * 2)
    assert twice.p_value == pytest.approx(once.p_value)


def test_pooling_counts_seeds_and_cases_once() -> None:
    rng = np.random.default_rng(0)
    draws = 20_000
    cases_part = rng.normal(0, 0.02, draws)
    value = np.array([0.05, 0.01, 0.03, 0.07])
    drawn = value[:, None] + cases_part
    many = Draws(draws)
    names = {
        "setting": ["a"] * 4,
        "replicate": list("0123"),
        "cases": 50,
        "draws": many,
    }
    found = pool_differences(value, drawn, **names)
    # Variance of the cases, plus that of a mean over four seeds.
    parts = 0.02**2 * 50 / 49, value.var(ddof=1) / 4
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / 49 + parts[1] ** 2 / 3)
    expected = sum(parts) ** 0.5 * t.ppf(0.975, degrees)
    assert found.difference == pytest.approx(0.04)
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.05)
    # One setting copied under another name must not narrow the interval.
    twice = pool_differences(
        np.tile(value, 2),
        np.tile(drawn, (2, 1)),
        setting=["a"] * 4 + ["b"] * 4,
        replicate=list("01230123"),
        cases=50,
        draws=many,
    )
    assert (twice.low, twice.high) == pytest.approx((found.low, found.high))
    assert (twice.settings, twice.seeds) == (2, 4)
    one = pool_differences(
        value[:1], drawn[:1], setting=["a"], replicate=["0"], cases=50, draws=many
    )
    tail = norm.sf((50 / 49) ** 0.5 * t.ppf(0.975, 49))
    assert one.low == pytest.approx(np.quantile(drawn[0], tail))
    # What each seed makes of the cases is no variance between seeds.
    noise = 0.05 * rng.normal(size=(4, draws))
    same = pool_differences(noise[:, 0], noise, **names)
    own = noise[:, 0].var(ddof=1) / 4, 0.025**2
    degrees = (own[1] * 50 / 49 + max(0, own[0] - own[1])) ** 2 / (
        (own[1] * 50 / 49) ** 2 / 49 + own[0] ** 2 / 3
    )
    expected = own[1] * 50 / 49 + max(0, own[0] - own[1])
    assert (same.high - same.low) / 2 == pytest.approx(
        expected**0.5 * t.ppf(0.975, min(49, degrees)), rel=0.05
    )


def test_holm_by_hand() -> None:
    # 0.01·3, then max(0.03, 0.02·2), then max(0.04, 0.04·1); None does not count.
    assert holm([0.04, None, 0.01, 0.02]) == pytest.approx([0.04, None, 0.03, 0.04])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_size_of_the_paired_tests_under_the_null() -> None:
    """Clustered data without a difference: 5 % of the tests may find one."""
    bold = clustered = 0
    repeats = 150
    for seed in range(repeats):
        rng = np.random.default_rng(1000 + seed)
        case = np.repeat(np.arange(50), 6)
        label = (case % 2).astype(int)
        base = label + rng.normal(0, 0.7, 50)[case]
        # What a model makes of a case is common to the patches of that case.
        a, b = (
            base + rng.normal(0, 0.7, 50)[case] + rng.normal(0, 0.3, 300)
            for _ in range(2)
        )
        found = paired_cluster_bootstrap(label, a, b, case, draws=Draws(200, seed=seed))
        clustered += found.p_value < 0.05
        bold += paired_auc_test(label, a, b).p_value < 0.05
    assert bold / repeats > 0.2
    assert clustered / repeats < 0.12
