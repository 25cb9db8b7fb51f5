"""Stage heatmap: a slide read whole by an exported model."""
