"""The user's own directives. They are in the gateway's language and mean nothing to another gateway."""

from __future__ import annotations

import re

from msgspec import Struct

from portico.site.model import Site
from portico.site.own.model import Own
from portico.site.own.tables import table_of


class OwnDirectives(Struct, frozen=True):
    """The user's directives, parsed."""

    above: tuple[Own, ...]
    """For the whole site."""
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
    table = table_of(site.options)
    return OwnDirectives(
        above=site.own.above,
        server=site.own.server,
        above_cause=site.cause(table.above_key),
        server_cause=site.cause(table.server_key),
    )
