"""Tests of gastric_keras/records/."""
