"""What a set can be told, and the public layouts that it knows."""
