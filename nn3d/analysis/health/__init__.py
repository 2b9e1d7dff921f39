"""Signals of training: what statistics say of every layer at every epoch, and the moments at which something happens.

`figures` reads one layer at one epoch, `history` all of them, `marks` finds the moments, `words` says it all.
Stored statistics are read where they are; tensors only where they are not, and only up to a number of values.
"""
