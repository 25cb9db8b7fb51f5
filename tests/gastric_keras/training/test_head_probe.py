"""The probed head against scikit-learn's own answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from gastric_keras.data.pipeline import eval_dataset
from gastric_keras.data.selection import Selection
from gastric_keras.models.classifier import build_classifier
from gastric_keras.models.inference import build_forward
from gastric_keras.training.head_probe import extract_features, fit_head, probe_head
from tests.helpers.small_sets import write_small_set


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_softmax_head_says_what_scikit_learn_says(classes: int) -> None:
    rng = np.random.default_rng(classes)
    label = np.repeat(np.arange(classes), [30, 20, 10][:classes])
    features = rng.normal(3.0, [0.1, 1.0, 10.0, 2.0], (len(label), 4)) + label[:, None]
    kernel, bias = fit_head(features, label, strength=0.5, balance=True)
    assert kernel.shape == (4, classes) and bias.dtype == np.float32
    scaled = (features - features.mean(0)) / np.sqrt(features.var(0).mean())
    wanted = LogisticRegression(C=0.5, class_weight="balanced", max_iter=1000)
    wanted = wanted.fit(scaled, label).predict_proba(scaled)
    np.testing.assert_allclose(_softmax(features @ kernel + bias), wanted, atol=1e-4)


def test_a_feature_that_hardly_changes_gets_no_huge_weight() -> None:
    label = np.arange(8) > 3
    features = np.stack([1e-4 * label, np.arange(8.0), np.zeros(8)], axis=1)
    kernel, bias = fit_head(features, label, strength=1.0, balance=False)
    assert np.abs(kernel[0]).max() < np.abs(kernel[1]).max()
    for constant in fit_head(np.ones((8, 2)), label, strength=1.0, balance=False):
        assert np.isfinite(constant).all()


def test_the_head_of_a_network_separates_what_the_backbone_sees(tmp_path: Path) -> None:
    write_small_set(tmp_path / "set", "target", ("a", "b"), per_class={"train": 12})
    model = build_classifier("alexnet", 2, image_size=64, weights="none", dropout=0.5)
    before = [weight.numpy() for weight in model.get_layer("backbone").weights]
    dataset = eval_dataset(Selection(tmp_path / "set"), image_size=64, batch_size=5)
    features, label = extract_features(model, dataset)
    assert features.shape == (24, 256)
    probe_head(model, dataset, strength=10.0, balance=False)
    patches = np.concatenate([batch["image"] for batch in dataset.as_numpy_iterator()])
    probability = build_forward(model)(patches).numpy()
    assert (probability.argmax(1) == label).mean() > 0.9
    for weight, old in zip(model.get_layer("backbone").weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)
