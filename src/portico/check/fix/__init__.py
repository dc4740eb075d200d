"""What `portico check --fix` changes: modes of files, and missing lines of portico.toml. Never the app's code."""
