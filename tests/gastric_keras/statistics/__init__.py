"""Tests of gastric_keras/statistics/."""
