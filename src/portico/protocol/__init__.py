"""Values that a running site, its watchers and its commands exchange: JSON on the control socket."""
