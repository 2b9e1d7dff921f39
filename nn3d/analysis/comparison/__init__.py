"""Numbers about two moments of training, of one run or of two: which layers belong together, and how they differ."""
