"""One running site: events to the machine, its actions performed."""
