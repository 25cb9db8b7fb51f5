"""Nuclei, clusters, artifacts: pixels to numbers; never TensorFlow."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "artifacts": ["artifact_reason"],
        "clusters": ["cluster_patches"],
        "normalization": ["fit_stain", "normalize"],
        "nuclei": ["NucleiMeasurement", "measure_nuclei", "segment_nuclei"],
        "threshold": ["threshold_phansalkar"],
    },
)
