"""Tests of gastric_keras/models/."""
