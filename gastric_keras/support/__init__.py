"""Errors, whole files, strict YAML, progress: knows neither pathology nor networks."""
