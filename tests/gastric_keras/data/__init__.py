"""Tests of gastric_keras/data/."""
