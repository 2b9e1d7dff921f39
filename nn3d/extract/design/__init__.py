"""Owns networks that are only described: a list of layers and sizes → their shapes, a graph, and a torch module."""
