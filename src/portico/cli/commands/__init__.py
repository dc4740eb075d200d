"""One command, one file, in the room of its group in `portico --help`: it parses words, asks and prints."""
