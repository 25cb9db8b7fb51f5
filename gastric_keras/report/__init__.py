"""Stage report: one HTML page about one run."""
