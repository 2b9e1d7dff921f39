"""Geometry without graphics: where layers and tiles stand and how strands run between them."""
