"""Tests of gastric_keras/heatmap/."""
