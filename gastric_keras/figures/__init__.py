"""Every plot, in one style, as PNG."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "blocks": ["plot_blocks"],
        "curves": ["Curve", "plot_precision_recall", "plot_roc", "plot_roc_panels"],
        "filters": ["plot_filters"],
        "overlay": ["plot_overlay"],
        "plots": [
            "plot_confusion",
            "plot_differences",
            "plot_history",
            "plot_reliability",
        ],
        "responses": ["plot_responses"],
    },
)
