"""The challenge for costly routes: keys, puzzles, the endpoint for solutions, and the detection of pressure."""
