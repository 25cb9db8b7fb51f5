"""Stage grid: many runs of one config."""
