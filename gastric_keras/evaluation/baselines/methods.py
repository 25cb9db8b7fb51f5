"""Classifiers of the baselines, and a grid for each from which the validation split
chooses.

Features are centered and divided by their deviation in the training patches; those of a
linear probe by one scale for all (``head_probe.fit_head`` says why). What the
classifier says becomes a probability by a logistic curve that is fitted to the
validation patches and always rises (Platt 1999), so that the order stays its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import ParameterGrid
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from gastric_keras.config.baselines import Classifier
from gastric_keras.training.head_probe import fit_head

#: What validation AUC chooses from; the first of equals, so the stiffest, stays.
GRIDS: dict[Classifier, dict[str, tuple]] = {
    "lda": {"shrinkage": (0.9, 0.5, 0.1, 0.01, 0.001)},
    "knn": {"n_neighbors": (51, 25, 15, 9, 5, 3, 1)},
    "svm": {"C": (0.1, 1.0, 10.0, 100.0), "gamma": (0.001, 0.01, 0.1)},
    "logistic": {"C": (0.01, 0.1, 1.0, 10.0, 100.0)},
    "subspace": {"components": (1, 2, 4, 8, 16, 32)},
    "probe": {"C": (1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0)},
}
#: Least slope of the logistic curve, per deviation of the decision.
LEAST_SLOPE = 1e-3


class SubspaceClassifier(ClassifierMixin, BaseEstimator):
    """Two principal subspaces, one a class; a patch is nearer to one of them.

    Each class has its mean m and the first k principal directions U of its training
    patches; ``d² = |(x - m) - U Uᵀ (x - m)|²`` is what they cannot explain, and the
    decision is log d²₀ - log d²₁. After CLAFIC, class-featuring information compression
    (S. Watanabe et al., Computer and Information Sciences II, 91-122, 1967).

    Args:
        components: k; fewer where the patches of a class span no more.
    """

    def __init__(self, components: int) -> None:
        self.components = components

    def fit(self, features: np.ndarray, label: np.ndarray) -> SubspaceClassifier:
        """Find both subspaces.

        Args:
            features: (n, length) float.
            label: (n,) 0 or 1, both there.
        """
        self.classes_ = np.array([0, 1])
        self._spaces = []
        for value in self.classes_:
            mine = features[label == value]
            mean = mine.mean(axis=0)
            _, spread, directions = np.linalg.svd(mine - mean, full_matrices=False)
            # Where the patches do not spread the directions are rounding errors.
            found = min(self.components, int((spread > 1e-6 * spread[0]).sum()))
            self._spaces.append((mean, directions[:found]))
        return self

    def decision_function(self, features: np.ndarray) -> np.ndarray:
        """(n,) float, above 0 where the subspace of class 1 is nearer."""
        logs = []
        for mean, directions in self._spaces:
            rest = features - mean
            rest = rest - rest @ directions.T @ directions
            # A patch that lies in a subspace is no infinitely sure one.
            logs.append(np.log((rest**2).sum(axis=1) + 1e-9))
        return logs[0] - logs[1]


class ProbeClassifier(ClassifierMixin, BaseEstimator):
    """The linear probe of the networks, ``head_probe.fit_head``, on other features.

    Args:
        strength: inverse regularization, scikit-learn's C.
    """

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def fit(self, features: np.ndarray, label: np.ndarray) -> ProbeClassifier:
        """Fit the regression.

        Args:
            features: (n, length) float.
            label: (n,) 0 or 1, both there.
        """
        self.classes_ = np.array([0, 1])
        self._kernel, self._bias = fit_head(
            features, label, strength=self.strength, balance=False
        )
        return self

    def decision_function(self, features: np.ndarray) -> np.ndarray:
        """(n,) float, the logit of class 1."""
        logits = features @ self._kernel + self._bias
        return logits[:, 1] - logits[:, 0]


@dataclass(frozen=True)
class Fitted:
    """A classifier that validation chose.

    Attributes:
        model: scaler and classifier.
        parameters: the point of the grid.
        validation_auc: of its decision.
        center: mean of the decision on validation.
        scale: its deviation there.
        slope: of the logistic curve, per ``scale``.
        intercept: of the logistic curve.
    """

    model: Pipeline
    parameters: dict[str, float]
    validation_auc: float
    center: float
    scale: float
    slope: float
    intercept: float

    def probability(self, features: np.ndarray) -> np.ndarray:
        """(n,) float64 in (0, 1), of class 1."""
        decision = (_decide(self.model, features) - self.center) / self.scale
        return expit(self.slope * decision + self.intercept)


def fit_best(
    classifier: Classifier,
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
) -> Fitted:
    """Fit every point of the grid on train and keep the one best on validation.

    Args:
        classifier: which.
        train: (n, length) float and (n,) 0 or 1, two or more of each.
        validation: the same, of the validation split, both classes there.

    Returns:
        The one with the highest validation AUC, and the logistic curve through its
        decisions there. Deterministic.
    """
    best: tuple[float, dict, Pipeline] | None = None
    for parameters in ParameterGrid(GRIDS[classifier]):
        model = _build(classifier, parameters, len(train[1])).fit(*train)
        auc = float(roc_auc_score(validation[1], _decide(model, validation[0])))
        if best is None or auc > best[0]:
            best = auc, parameters, model
    assert best is not None, "a grid has a point"
    auc, parameters, model = best
    decision = _decide(model, validation[0])
    center, scale = float(decision.mean()), float(decision.std()) or 1.0
    curve = LogisticRegression().fit(
        ((decision - center) / scale)[:, None], validation[1]
    )
    slope = max(float(curve.coef_[0, 0]), LEAST_SLOPE)
    return Fitted(
        model, parameters, auc, center, scale, slope, float(curve.intercept_[0])
    )


def _build(classifier: Classifier, parameters: dict[str, Any], n: int) -> Pipeline:
    if classifier == "probe":
        return make_pipeline(ProbeClassifier(parameters["C"]))
    if classifier == "lda":
        model: Any = LinearDiscriminantAnalysis(solver="lsqr", **parameters)
    elif classifier == "knn":
        model = KNeighborsClassifier(min(parameters["n_neighbors"], n))
    elif classifier == "svm":
        model = SVC(kernel="rbf", **parameters)
    elif classifier == "logistic":
        model = LogisticRegression(max_iter=1000, **parameters)
    else:
        model = SubspaceClassifier(int(parameters["components"]))
    return make_pipeline(StandardScaler(), model)


def _decide(model: Pipeline, features: np.ndarray) -> np.ndarray:
    """(n,) float: the decision, or the share of neighbors of class 1."""
    if hasattr(model[-1], "decision_function"):
        return model.decision_function(features)
    return model.predict_proba(features)[:, 1]
