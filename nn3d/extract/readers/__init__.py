"""Owns reading: how the bytes of each format become graphs and arrays; nn3d.extract.formats says which it is."""
