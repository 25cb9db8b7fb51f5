"""Stages evaluate and probe, and the classical baselines beside them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "baselines.stage": ["run_baselines"],
        "evaluate": ["run_evaluate"],
        "layer_probe": ["run_probe"],
    },
)
