"""The three networks, their weights, and the warm start."""
