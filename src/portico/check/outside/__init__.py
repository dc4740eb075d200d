"""What a stranger sees of a running site, whoever serves it: asked over the network, one connection at a time."""
