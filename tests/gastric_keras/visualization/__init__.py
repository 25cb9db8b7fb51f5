"""Tests of gastric_keras/visualization/."""
