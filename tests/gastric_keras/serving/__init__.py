"""Tests of gastric_keras/serving/."""
