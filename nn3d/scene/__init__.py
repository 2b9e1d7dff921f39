"""Frame to pixels with moderngl."""
