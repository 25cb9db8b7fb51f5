"""Tests of gastric_keras/config/."""
