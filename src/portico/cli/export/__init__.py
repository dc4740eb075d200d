"""The outputs of `portico export`, one file per target program."""
