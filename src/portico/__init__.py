"""Portico puts a Python web app into production behind a real nginx with one command."""

__version__ = "0.1.0"
DISTRIBUTION = "portico-gateway"
"""What pip calls Portico. On PyPI, `portico` is somebody else's package."""


def purge(*what: str) -> int:
    """Deletes the cached answers of each `what` from nginx's cache, at once; returns how many there were.

    A path means all its queries ("/news/1"), a trailing `*` all paths with that prefix ("/news/*"), a URL the host,
    too, and anything else a tag from Surrogate-Key or Cache-Tag. Without Portico there is no cache, and this does
    nothing. Raises PorticoError if the Portico that runs this app does not answer.
    """
    from portico.link.purge import purge

    return purge(*what)
