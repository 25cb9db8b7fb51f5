"""Tests of data_prep/phantom/."""
