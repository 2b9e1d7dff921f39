"""Anything → run. One file a source; each imports its framework inside and says which extra to install."""
