"""The commands and questions that a running site answers."""
