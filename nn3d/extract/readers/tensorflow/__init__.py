"""Owns what nn3d.extract.formats needs to read tensorflow."""
