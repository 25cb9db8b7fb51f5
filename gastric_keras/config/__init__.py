"""What a run, a grid and a heatmap can be told."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "backbones": ["BACKBONES", "Backbone", "register_backbone"],
        "experiment": ["ExperimentConfig", "MidConfig", "TargetConfig"],
        "fit": ["AugmentConfig", "FitConfig"],
        "grid": ["GridConfig"],
        "heatmap": ["HeatmapConfig"],
    },
)
