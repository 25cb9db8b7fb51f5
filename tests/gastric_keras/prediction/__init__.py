"""Tests of gastric_keras/prediction/."""
