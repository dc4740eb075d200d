"""The user's own directives. They are in the gateway's language and mean nothing to another gateway."""

from __future__ import annotations

import re
from dataclasses import dataclass

from portico.site.model import Site
from portico.site.own import Own

FOR_ALL = "[nginx] http: what may stand at http level only holds for every site of the gateway"
"""A note: those lines stay where they were written; others apply to the site alone."""


@dataclass(frozen=True)
class OwnDirectives:
    """The user's directives, parsed."""

    above: tuple[Own, ...]
    """For the whole site: those of the option nginx.http."""
    server: tuple[Own, ...]
    """For the site's server."""
    above_cause: str
    server_cause: str

    @property
    def all(self) -> tuple[Own, ...]:
        """All of them, of every context."""
        return (*self.above, *self.server)

    def say(self, pattern: str) -> bool:
        """Whether the regular expression matches the text of some, also in a comment or a block."""
        return any(re.search(pattern, one.text) for one in self.all)


def own_directives(site: Site) -> OwnDirectives:
    """The user's directives, and where each option is set."""
    return OwnDirectives(
        above=site.nginx_http,
        server=site.nginx_server,
        above_cause=site.cause("nginx.http"),
        server_cause=site.cause("nginx.server"),
    )
