"""Which settings of portico.toml would serve this app better on this machine, and the measurements that say so."""
