"""The facts of an app, one file a framework."""
