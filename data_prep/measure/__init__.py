"""Stain, nuclei, clusters, artifacts: pixels to numbers; never TensorFlow."""
