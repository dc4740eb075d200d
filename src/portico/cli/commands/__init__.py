"""One command per file, in the folder of its group in `portico --help`. A command parses arguments, asks and
prints.
"""
