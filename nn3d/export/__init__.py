"""A view, elsewhere: pictures written to files."""
