"""Makes compressed copies of static files beside the serving: a child with low priority compresses (`program`), the
supervisor starts it and removes the copy of a changed file (`watcher`).
"""
