"""Is the app right for what is in front of it?"""
