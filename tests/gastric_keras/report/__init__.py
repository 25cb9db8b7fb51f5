"""Tests of gastric_keras/report/."""
