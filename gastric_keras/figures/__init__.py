"""Every plot, in one style, as PNG."""
