"""t=0, t=1, t=2: the ladder, one fit, and what it logs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "ladder": ["run_mid", "run_target"],
        "start": ["load_stage"],
    },
)
