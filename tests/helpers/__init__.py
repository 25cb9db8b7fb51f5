"""What several tests make or read: small sets, runs, models, pictures."""
