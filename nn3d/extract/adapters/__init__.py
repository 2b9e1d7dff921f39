"""Frameworks that own the training loop: a callback each, which calls a Recorder. Each imports its framework itself."""
