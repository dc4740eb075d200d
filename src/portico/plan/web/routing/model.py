"""The rules of a site, with what the gateway needs to follow them."""

from __future__ import annotations

from dataclasses import dataclass

from portico.plan.web.app.link import Link
from portico.plan.web.app.upstream import Upstream
from portico.plan.web.entry.trust import Trust
from portico.site.routing import RouteRule


@dataclass(frozen=True)
class Passage:
    """The way to the server of a rule, as that of the app is described."""

    upstream: Upstream
    link: Link
    trust: Trust


@dataclass(frozen=True)
class Route:
    """A rule, and the way to its server; None if the gateway answers itself."""

    rule: RouteRule
    passage: Passage | None = None

    @property
    def prefix(self) -> str:
        """What the gateway takes off the path."""
        return self.rule.path if self.rule.strips and self.rule.path != "/" else ""


@dataclass(frozen=True)
class Routing:
    """All rules except those of folders, which are among the static files."""

    routes: tuple[Route, ...] = ()
    is_alone: bool = False
    """No other site is on this gateway: a rule that names one finds nobody."""

    @property
    def passed(self) -> tuple[Route, ...]:
        """The routes that pass requests on."""
        return tuple(one for one in self.routes if one.passage)
