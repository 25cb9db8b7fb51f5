"""Tests of data_prep/config/."""
