"""Tests of gastric_keras/training/."""
