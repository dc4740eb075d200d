"""The benchmark: Portico and its peers, side by side in one session. See README.md beside this file."""
