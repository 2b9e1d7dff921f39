"""The command line: one file a command; parses, wires the ports, calls, prints."""
