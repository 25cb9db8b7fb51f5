"""Tests of data_prep/sets/."""
