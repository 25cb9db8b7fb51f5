"""Synthetic H&E with known truth."""
