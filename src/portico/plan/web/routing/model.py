"""The rules of a site, with what the gateway needs to follow them."""

from __future__ import annotations

from msgspec import Struct

from portico.plan.web.app.link import Link
from portico.plan.web.app.upstream import Upstream
from portico.plan.web.entry.trust import Trust
from portico.site.routing import RouteRule, ToServer, ToSite, is_below
from portico.site.upstream_server import PARAMETERS


class Passage(Struct, frozen=True):
    """The way to the server of a rule, as that of the app is described."""

    upstream: Upstream
    link: Link
    trust: Trust


class Route(Struct, frozen=True):
    """A rule, and the way to its server; None if the gateway answers itself."""

    rule: RouteRule
    passage: Passage | None = None

    @property
    def prefix(self) -> str:
        """What the gateway takes off the path."""
        return self.rule.path if self.rule.strips and self.rule.path != "/" else ""

    @property
    def is_raw(self) -> bool:
        """Whether the target gets the path as the client sent it, with its dots. A uwsgi or FastCGI server is told the
        resolved path as well.
        """
        target = self.rule.target
        return isinstance(target, ToSite) or (
            isinstance(target, ToServer) and target.server.protocol not in PARAMETERS
        )


class Mirror(Struct, frozen=True):
    """The way of the copies. `share` is a percentage, 100 for all; `socket` is that of the gateway's own server which
    answers at once and sends the copy on.
    """

    route: Route
    share: float
    socket: str
    cause: str


class Choice(Struct, frozen=True):
    """Rules with conditions that a request may meet at some place, in the order in which they are tried. `word`
    distinguishes the place: empty for everything that is the site's own, else a rule without conditions.
    """

    routes: tuple[Route, ...]
    word: str = ""


class Routing(Struct, frozen=True):
    """All rules except those of folders, which are among the static files."""

    routes: tuple[Route, ...] = ()
    is_alone: bool = False
    """No other site is on this gateway: a rule that names one finds nobody."""

    @property
    def plain(self) -> tuple[Route, ...]:
        """The routes that the path alone decides."""
        return tuple(one for one in self.routes if one.rule.is_plain)

    @property
    def conditional(self) -> tuple[Route, ...]:
        """The routes with conditions."""
        return tuple(one for one in self.routes if not one.rule.is_plain)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Every choice that a request may meet."""
        found = (self.choice(), *(self.choice(one) for one in self.plain))
        return tuple(one for one in found if one.routes)

    def choice(self, plain: Route | None = None) -> Choice:
        """The rules that come before this one without conditions; None is the site's own."""
        if plain is None:
            return Choice(self.conditional)
        path = plain.rule.path
        return Choice(
            tuple(one for one in self.conditional if is_below(one.rule.path, path)), f"_{plain.rule.number}"
        )

    @property
    def passed(self) -> tuple[Route, ...]:
        """The routes that pass requests on."""
        return tuple(one for one in self.routes if one.passage)
