"""The sockets of a site: taken, kept, handed over, switched, and whether anything is under way on them."""
