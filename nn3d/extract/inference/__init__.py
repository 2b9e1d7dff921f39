"""From names and shapes to wires: nothing here is known, everything that is said has a reason and a certainty."""
