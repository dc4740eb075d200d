"""What Portico does not write for Apache httpd: each option that needs it is a problem at plan, one line each."""

from __future__ import annotations

from collections.abc import Iterator

from portico.app_servers.uwsgi import UWSGI
from portico.errors import Problem
from portico.plan.web.model import Web

_NGINX = 'use nginx (gateway = "nginx"), or leave it out'


def missing(web: Web) -> list[Problem]:
    """A problem for each."""
    return [
        Problem(
            web.site.cause(option).partition(": ")[0] or option,
            f"{option}: with Apache httpd, {what}",
            _NGINX,
        )
        for option, what in _missing(web)
    ]


def _missing(web: Web) -> Iterator[tuple[str, str]]:
    options, causes = web.site.options, web.site.causes
    of_site = {
        ("mirror.to", "requests are not copied"): bool(options.mirror.to),
        ("upstream.resolver", "the name servers of this machine are asked"): bool(options.upstream.resolver),
        ("limits.held", "requests in progress are not counted"): "limits.held" in causes,
        ("cache.size", "no answer is cached"): "cache.size" in causes and bool(options.cache.size),
        ("downloads.roots", "the app sends its files itself"): bool(options.downloads.roots),
    }
    yield from (what for what, is_wanted in of_site.items() if is_wanted)
    if web.prefix and web.app_server.name == UWSGI.name:
        yield "mount", "uWSGI is not told the prefix: httpd sets SCRIPT_NAME itself"
    for item in web.routed:
        for key, is_set in (
            ("cache", item.edge.cache is not None),
            ("upload_to_file", item.edge.upload_to_file and not web.hides_bodies),
        ):  # fmt: skip
            if is_set:
                yield f'routes."{item.rule}".{key}', "routes have no such setting"
