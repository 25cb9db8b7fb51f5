"""Tests of gastric_keras/evaluation/."""
