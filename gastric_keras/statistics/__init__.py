"""Scores, intervals, tests and calibration; NumPy only."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bootstrap": ["cluster_bootstrap"],
        "calibration": ["apply_temperature", "fit_temperature"],
        "delong": ["auc_interval", "pooled_auc_test"],
        "draws": ["Draws"],
        "mcnemar": ["mcnemar_test"],
        "paired": ["PooledDifference", "holm", "pool_differences"],
        "scores": ["Score"],
        "split_report": ["Report", "report"],
    },
)
