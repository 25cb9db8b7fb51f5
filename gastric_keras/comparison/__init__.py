"""Stage compare: finished runs to tables and the verdict."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "compare": ["run_compare"],
    },
)
