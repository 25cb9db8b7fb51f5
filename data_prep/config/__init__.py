"""What a set can be told, and the public layouts that it knows."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "sets": ["NucleiSetConfig", "TargetSetConfig", "TissueSetConfig"],
        "sources": ["SourceConfig"],
    },
)
