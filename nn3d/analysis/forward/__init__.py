"""The forward pass of a run in numpy: every layer for an input of one's own, checked against what was recorded."""
