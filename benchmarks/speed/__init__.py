"""How fast; each is one command with one printed table."""
