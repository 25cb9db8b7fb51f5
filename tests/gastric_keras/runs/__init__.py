"""Tests of gastric_keras/runs/."""
