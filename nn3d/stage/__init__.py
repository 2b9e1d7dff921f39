"""What the user looks at, as plain values: state, commands, and the frame composed from a run and a state."""
