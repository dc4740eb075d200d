"""Does the app fit what is in front of it?"""
