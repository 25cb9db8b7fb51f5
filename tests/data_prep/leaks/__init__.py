"""Tests of data_prep/leaks/."""
