"""Pictures, DICOM and whole slides as RGB; label masks; where the tissue lies."""

from gastric_keras.imaging.images import read_image
from gastric_keras.imaging.labels import read_labels

__all__ = ["read_image", "read_labels"]
