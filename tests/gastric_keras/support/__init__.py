"""Tests of gastric_keras/support/."""
