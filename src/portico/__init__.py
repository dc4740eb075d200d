"""Portico puts a Python web app into production behind a real nginx with one command."""

__version__ = "0.1.0"


def purge(*what: str) -> int:
    """Make nginx forget the answers that it keeps of each `what`, at once; how many there were.

    A path means all its queries ("/news/1"), a `*` at the end all that begin so ("/news/*"), a URL the host, too, and
    anything else a tag that answers were given in Surrogate-Key or Cache-Tag. Without Portico there is no cache, and
    this does nothing. Raises PorticoError when the Portico that runs this app does not answer.
    """
    from portico.link.purge import purge

    return purge(*what)
