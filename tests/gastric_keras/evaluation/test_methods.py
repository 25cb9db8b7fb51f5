"""Choosing on validation, the subspace classifier, and scores that keep their order."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from gastric_keras.config.baselines import METHODS, Classifier
from gastric_keras.evaluation.baselines import methods as classical
from gastric_keras.evaluation.baselines import texture
from gastric_keras.evaluation.baselines.methods import (
    GRIDS,
    SubspaceClassifier,
    fit_best,
)

Side = tuple[np.ndarray, np.ndarray]


def clouds(seed: int, shift: float, n: int = 40) -> Side:
    """Two clouds whose centers lie ``shift`` apart along the first of six axes."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 2
    features = rng.normal(0, 1, (n, 6))
    features[:, 0] += shift * label
    return features, label


def test_the_methods_name_features_and_classifiers_that_there_are() -> None:
    assert len({method.name for method in METHODS}) == len(METHODS)
    # The probe is for features made elsewhere.
    assert {method.classifier for method in METHODS} == set(GRIDS) - {"probe"}
    for method in METHODS:
        assert set(method.features) <= set(texture.FEATURES)
    used = {name for method in METHODS for name in method.features}
    assert used == set(texture.FEATURES)


@pytest.mark.parametrize("classifier", GRIDS)
def test_every_classifier_learns_and_keeps_its_order(
    classifier: Classifier,
) -> None:
    fitted = fit_best(classifier, clouds(0, 3), clouds(1, 3))
    features, label = clouds(2, 3, n=200)
    probability = fitted.probability(features)
    assert 0 < probability.min() and probability.max() < 1
    auc = roc_auc_score(label, probability)
    assert auc > 0.85
    assert auc == roc_auc_score(label, classical._decide(fitted.model, features))
    again = fit_best(classifier, clouds(0, 3), clouds(1, 3))
    assert again.parameters == fitted.parameters
    np.testing.assert_array_equal(again.probability(features), probability)


@pytest.mark.parametrize("classifier", GRIDS)
def test_few_patches_are_enough(classifier: Classifier) -> None:
    # Fewer than the grids' neighbors and components, and than there are features.
    fitted = fit_best(classifier, clouds(0, 9, n=4), clouds(1, 9))
    assert fitted.validation_auc > 0.6


def test_validation_chooses_and_says_how_well() -> None:
    """One neighbor is best for one validation split, many for the other."""
    rng = np.random.default_rng(0)
    # Every patch lies between two of the other class: the nearest alone is right.
    place = np.arange(60)
    islands = (place % 2).astype(int)
    train = place[:, None] * np.ones((1, 2)), islands
    near = train[0] + rng.normal(0, 0.01, train[0].shape), islands
    assert fit_best("knn", train, near).parameters == {"n_neighbors": 1}
    sides = (place > 29).astype(int)
    noisy = np.where(rng.random(60) < 0.3, 1 - sides, sides)
    fitted = fit_best("knn", (train[0], noisy), (train[0] + 0.1, sides))
    assert fitted.parameters["n_neighbors"] > 3
    decision = classical._decide(fitted.model, train[0] + 0.1)
    assert fitted.validation_auc == roc_auc_score(sides, decision)


def test_of_equals_the_stiffest_stays() -> None:
    fitted = fit_best("logistic", clouds(0, 40), clouds(1, 40))
    assert fitted.validation_auc == 1.0
    assert fitted.parameters == {"C": GRIDS["logistic"]["C"][0]}


def test_the_curve_rises_even_where_validation_is_the_wrong_way_round() -> None:
    train, (features, label) = clouds(0, 3), clouds(1, 3)
    fitted = fit_best("lda", train, (features, 1 - label))
    assert fitted.validation_auc < 0.2 and fitted.slope == classical.LEAST_SLOPE
    assert roc_auc_score(label, fitted.probability(features)) > 0.8


def test_the_curve_is_that_of_the_validation_patches() -> None:
    fitted = fit_best("svm", clouds(0, 2), clouds(1, 2, n=400))
    features, label = clouds(1, 2, n=400)
    probability = fitted.probability(features)
    # A logistic regression's probabilities add up to the positives it was fitted to.
    assert probability.mean() == pytest.approx(label.mean(), abs=0.01)
    sure = probability > np.median(probability)
    assert probability[sure].mean() == pytest.approx(label[sure].mean(), abs=0.06)


def test_a_patch_belongs_to_the_subspace_that_holds_it() -> None:
    t = np.arange(-3.0, 4.0)[:, None]
    lines = np.vstack([t * [1, 0, 0], [0, 0, 5] + t * [0, 1, 0]])
    model = SubspaceClassifier(1).fit(lines, np.repeat([0, 1], 7))
    # Distances to the lines: squares 0 + 1e-9 and 25, 26 and 1, then equal ones.
    points = np.array([[9.0, 0, 0], [1, 9, 4], [0, 0, 2.5]])
    wanted = np.log([1e-9 / (81 + 25), 97 / (1 + 1), 1.0])
    np.testing.assert_allclose(model.decision_function(points), wanted, atol=1e-6)
    # All directions of seven points on a line are one: more do no harm.
    more = SubspaceClassifier(9).fit(lines, np.repeat([0, 1], 7))
    assert np.sign(more.decision_function(points[:2])).tolist() == [-1, 1]
