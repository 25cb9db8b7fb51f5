"""Tests of gastric_keras/grid/."""
