"""What two sets share and must not."""
