"""The folder of a run: names and shapes of its files, and their only readers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "predictions": ["Predictions", "read_predictions"],
        "provenance": ["open_run"],
        "run_dir": ["RunDir"],
        "score_shapes": ["RunScores"],
        "scores": ["read_scores", "read_split", "require_target"],
    },
)
