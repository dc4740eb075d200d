"""What looks beside the serving, and how it is kept alive: whatever fails in it never ends the serving."""
