"""Stage report: one HTML page about one run."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "page": ["run_report"],
    },
)
