"""Errors, whole files, strict YAML, progress: knows neither pathology nor networks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "errors": ["InputError", "check_ranges", "disk_error", "require"],
        "files": [
            "locked",
            "read_json",
            "read_object",
            "sha256_of",
            "write_atomic",
            "write_csv",
            "write_json",
        ],
        "progress": ["with_progress"],
    },
)
