"""Stage export: the SavedModel, written and loaded again."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "export": ["run_export"],
        "exported_model": ["ExportedModel", "load_exported"],
    },
)
