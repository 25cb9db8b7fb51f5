"""Commands killed at any moment, started again, and compared."""
