"""Tests of gastric_keras/imaging/."""
