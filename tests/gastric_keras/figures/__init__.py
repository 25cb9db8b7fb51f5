"""Tests of gastric_keras/figures/."""
