"""How far a finished mid-level set can be trusted."""
