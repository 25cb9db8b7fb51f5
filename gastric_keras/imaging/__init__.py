"""Pictures, DICOM and whole slides as RGB; their tissue, stains and look-alikes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "images": [
            "UnusableImage",
            "decode_image",
            "encode_png",
            "read_image",
        ],
        "labels": ["read_labels"],
        "normalization": ["fit_stain", "normalize"],
        "stain": ["separate_stains"],
        "slides": ["Picture", "is_slide", "open_picture"],
        "tissue": ["tissue_mask", "tissue_share"],
    },
)
