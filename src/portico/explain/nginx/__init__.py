"""nginx configurations of any author."""
