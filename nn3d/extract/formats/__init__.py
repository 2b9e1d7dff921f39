"""Owns formats: one file of code each says how it is recognised by content and how it becomes a recording."""
