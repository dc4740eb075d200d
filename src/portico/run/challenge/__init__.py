"""Passes for costly routes: the keys, the puzzles, who takes the solutions, and when there is pressure."""
