"""Stepwise fine-tuning of ImageNet networks for gastric pathology images.

Qu et al., J. Healthc. Eng. 2018, doi 10.1155/2018/8961781. Start at ``run.py``, then
``stages.py``, ``train.py``, ``input_pipeline.py``, ``models.py``.
"""

__version__ = "0.1.0"
