"""Scores, intervals, tests and calibration; NumPy only."""
