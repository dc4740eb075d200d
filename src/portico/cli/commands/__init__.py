"""One command, one file: it parses words, asks and prints."""
