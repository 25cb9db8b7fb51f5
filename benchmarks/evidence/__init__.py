"""What makes the pages of docs/; each is one command."""
