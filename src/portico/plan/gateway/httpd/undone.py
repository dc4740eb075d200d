"""What Portico does not write for Apache httpd: each option that needs it is a problem at plan, one line each."""

from __future__ import annotations

from collections.abc import Iterator

from portico.app_servers.kind import Feature
from portico.errors import Problem
from portico.plan.web.model import Web

OF_SITES = {
    "mirror.to": "requests are not copied",
    "upstream.resolver": "the name servers of this machine are asked",
    "limits.held": "requests in progress are not counted",
    "cache.size": "no answer is cached",
}
"""Options that httpd has not, and what it does instead."""
OF_ROUTES = {
    "cache": "no answer is cached",
    "upload_to_file": "uploads are not written to a file that the app gets",
}
"""Settings of a route that it has not."""
_NGINX = 'use nginx (gateway = "nginx"), or leave it out'


def missing(web: Web) -> list[Problem]:
    """A problem for each."""
    found = list[Problem]()
    for option, said in _missing(web):
        where, words = web.site.cause(option).partition(": ")[0], f"with Apache httpd, {said}"
        found.append(
            Problem(option, words, _NGINX)
            if where in ("", option)
            else Problem(where, f"{option}: {words}", _NGINX)
        )
    return found


def _missing(web: Web) -> Iterator[tuple[str, str]]:
    options, causes = web.site.options, web.site.causes
    wanted = {
        "mirror.to": bool(options.mirror.to),
        "upstream.resolver": bool(options.upstream.resolver),
        "limits.held": "limits.held" in causes,
        "cache.size": "cache.size" in causes and bool(options.cache.size),
    }
    yield from ((option, what) for option, what in OF_SITES.items() if wanted[option])
    server = web.app_server
    if web.prefix and server.name and Feature.PREFIX not in server.features:
        yield "mount", f"{server.title} is not told the prefix: httpd sets SCRIPT_NAME itself"
    for item in web.routed:
        of_route = (item.edge.cache is not None, item.edge.upload_to_file and not web.hides_bodies)
        for key, is_set in zip(OF_ROUTES, of_route, strict=True):
            if is_set:
                yield f'routes."{item.rule}".{key}', OF_ROUTES[key]
