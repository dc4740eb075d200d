"""Compressed copies of static files, made beside the serving: a child of low priority does the work (`program`), the
supervisor starts it and takes away the copy of a file that has changed (`watcher`).
"""
