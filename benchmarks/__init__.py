"""One command each, a printed table each; see make bench and docs/."""
