"""The programs that run apps: what a machine knows of each, and what each can do."""
