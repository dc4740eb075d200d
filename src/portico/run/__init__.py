"""Make a Plan so, and keep it so."""
