"""A folder of checkpoints → a run that lies in a folder: in order, in parallel, and only what has changed since."""
