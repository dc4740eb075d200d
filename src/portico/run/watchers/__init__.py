"""Background tasks beside the serving, and their restarts: a failure in one never ends the serving."""
