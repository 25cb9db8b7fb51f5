"""Records to batches."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "pipeline": ["eval_dataset", "train_dataset"],
        "selection": ["Selection"],
        "stage_data": ["TrainingData", "training_data", "validation_data"],
    },
)
