"""The cards of the window: each is a function of (ui, state, what it shows) that returns commands; none calls GL."""
