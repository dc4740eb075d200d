"""What is decided between the gateway and whoever answers for it: the app here, or servers elsewhere."""
