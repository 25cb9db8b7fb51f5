"""The folder of a run: names and shapes of its files, and their only readers."""
