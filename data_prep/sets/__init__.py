"""A set: looked at, split by case, written whole or not at all."""
