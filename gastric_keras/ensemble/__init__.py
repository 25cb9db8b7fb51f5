"""Stage ensemble: the runs of several seeds as one model, and how sure it is."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"stage": ["run_ensemble"]}
)
