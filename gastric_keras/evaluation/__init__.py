"""Stages evaluate and probe, and the classical baselines beside them."""
