"""t=0, t=1, t=2: the ladder, one fit, and what it logs."""
