"""Images to records: the mid-level and target sets, made offline."""
