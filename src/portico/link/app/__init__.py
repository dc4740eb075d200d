"""The app, inside its own process: find it, load it, ask it.

Nothing here imports more than Python itself and the app's own framework: every `portico run` waits for it.
"""
