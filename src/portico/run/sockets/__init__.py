"""The sockets of a site: opened, kept, inherited, switched, and checked for requests in progress."""
