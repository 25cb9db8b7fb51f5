"""Stain normalization, which data_prep shares with serving and the heatmap."""

from gastric_keras.imaging.normalization import fit_stain, normalize

__all__ = ["fit_stain", "normalize"]
