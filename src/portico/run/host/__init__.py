"""Several sites on one gateway."""
