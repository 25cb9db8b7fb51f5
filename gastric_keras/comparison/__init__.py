"""Stage compare: finished runs to tables and the verdict."""
