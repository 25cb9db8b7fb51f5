"""Tests of gastric_keras.ensemble."""
