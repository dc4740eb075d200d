"""From a hand-written configuration, and what stands beside it, to portico.toml."""
