"""Tests of data_prep/measure/."""
