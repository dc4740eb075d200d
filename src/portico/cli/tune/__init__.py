"""`portico tune`: its tables, and the lines of portico.toml."""
