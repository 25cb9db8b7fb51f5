"""Tests of gastric_keras/comparison/."""
