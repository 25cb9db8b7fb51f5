"""Stage baselines: classical texture and color methods."""
