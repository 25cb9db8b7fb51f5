"""Stepwise fine-tuning of ImageNet networks for gastric pathology images.

Qu et al., J. Healthc. Eng. 2018, doi 10.1155/2018/8961781. Start at ``run.py``, then
``training/ladder.py``, ``training/fit.py``, ``data/pipeline.py`` and
``models/classifier.py``.
"""

__version__ = "0.1.0"
