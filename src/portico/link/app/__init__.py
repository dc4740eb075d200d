"""The app, inside its own process: find it, load it, ask it.

This code imports only Python itself and the app's own framework: every `portico run` waits for it.
"""
