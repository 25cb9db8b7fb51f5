"""Which pictures there are, whose they are, and their region maps."""
