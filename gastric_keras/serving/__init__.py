"""Stage export: the SavedModel, written and loaded again."""
