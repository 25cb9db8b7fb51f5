"""The networks of several runs as one model: mean and spread of their answers."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from gastric_keras.comparison.finished_runs import FinishedRun
from gastric_keras.evaluation.fold_runs import FoldRun
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.training.start import load_stage


def build_ensemble(runs: Sequence[FinishedRun | FoldRun]) -> keras.Model:
    """One model of all members, for ``serving.graph.write_saved_model``.

    Args:
        runs: of equal settings but for seed or fold, two or more.

    Returns:
        (n, size, size, 3) uint8 -> ``probability`` (n, classes) float32, the mean of
        the members; ``spread`` (n, classes), their standard deviation with n - 1;
        ``pool`` (n, channels), the pooled features of all members side by side.

    Raises:
        InputError: the weights of a member are missing or changed.
    """
    members = [load_stage(run.config, RunDir(run.folder), "target") for run in runs]
    inputs = keras.Input(members[0].input_shape[1:], dtype="uint8", name="patch")
    features, answers = [], []
    for i, member in enumerate(members):
        # Members of one network have one name; a model refuses two layers of it.
        both = keras.Model(
            member.input,
            [member.get_layer("pool").output, member.output],
            name=f"member_{i}",
        )
        pooled, probability = both(inputs)
        features.append(pooled)
        answers.append(probability)
    pooled = keras.layers.Concatenate(name="pool", dtype="float32")(features)
    mean = keras.layers.Average(name="mean", dtype="float32")(answers)
    spread = Spread(name="spread", dtype="float32")(answers)
    return keras.Model(inputs, {"probability": mean, "spread": spread, "pool": pooled})


@keras.saving.register_keras_serializable("gastric_keras")
class Spread(keras.layers.Layer):
    """Standard deviation between tensors of one shape, with n - 1."""

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        """Of each element: ``sqrt(Σ (p - mean)² / (n - 1))``."""
        stacked = keras.ops.stack(inputs)
        variance = keras.ops.var(stacked, axis=0)
        return keras.ops.sqrt(variance * (len(inputs) / (len(inputs) - 1)))
