"""Tests of data_prep/quality/."""
