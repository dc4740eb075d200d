"""The user's own directives. They are in the gateway's language, and so mean something to that gateway alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from portico.site.model import Site
from portico.site.own import Own

FOR_ALL = "[nginx] http: what may stand at http level only holds for every site of the gateway"
"""A note: those lines are placed there as they were written; others hold for the site alone."""


@dataclass(frozen=True)
class OwnDirectives:
    """What the user wrote, as it was read."""

    above: tuple[Own, ...]
    """For everything of the site: those of the option nginx.http."""
    server: tuple[Own, ...]
    """For the server of the site."""
    above_cause: str
    server_cause: str

    @property
    def all(self) -> tuple[Own, ...]:
        """Wherever they stand."""
        return (*self.above, *self.server)

    def say(self, pattern: str) -> bool:
        """Whether the regular expression is found in the text of some, in a comment or a block, too."""
        return any(re.search(pattern, one.text) for one in self.all)


def own_directives(site: Site) -> OwnDirectives:
    """The user's directives, and where each option is set."""
    return OwnDirectives(
        above=site.nginx_http,
        server=site.nginx_server,
        above_cause=site.cause("nginx.http"),
        server_cause=site.cause("nginx.server"),
    )
