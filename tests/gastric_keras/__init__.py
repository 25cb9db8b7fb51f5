"""Tests of gastric_keras/."""
