"""What a running site, its watchers and its commands tell one another: values that are JSON on the control socket."""
