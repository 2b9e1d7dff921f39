"""Numbers about a run: contributions, sampling, trunk sums, display ranges. numpy and scipy only."""
