"""`portico adopt --verify`: the original configuration and the adopted one answer the same questions, side by side."""
