"""Stepwise fine-tuning of ImageNet networks for gastric pathology images.

Qu et al., J. Healthc. Eng. 2018, doi 10.1155/2018/8961781. The names below are the
library; each is imported when it is first used. To read the code, start at ``run.py``,
then ``training/ladder.py``, ``training/fit.py``, ``data/pipeline.py`` and
``models/classifier.py``.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config.backbones": ["Backbone", "register_backbone"],
        "data.pipeline": ["eval_dataset", "train_dataset"],
        "data.selection": ["Selection"],
        "models.alexnet": ["AlexNet"],
        "models.classifier": ["build_classifier"],
        "models.inference": ["predict"],
        "models.transfer": ["warm_start"],
        "records.manifest": ["Manifest", "read_manifest"],
        "records.schema": ["PatchRecord", "read_records"],
        "runs.run_dir": ["RunDir"],
        "runs.scores": ["read_scores"],
        "serving.exported_model": ["ExportedModel", "load_exported"],
        "statistics.bootstrap": ["cluster_bootstrap"],
        "statistics.calibration": ["apply_temperature", "calibrate", "fit_temperature"],
        "statistics.delong": ["auc_interval", "pooled_auc_test"],
        "statistics.draws": ["Draws"],
        "statistics.mcnemar": ["mcnemar_test"],
        "statistics.paired": ["holm", "pool_differences"],
        "statistics.split_report": ["report"],
        "support.errors": ["InputError"],
    },
)
