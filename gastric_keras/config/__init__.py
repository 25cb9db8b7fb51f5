"""What a run, a grid and a heatmap can be told."""
