"""The facts of a Django project; guesses are left out."""

# mypy: disable-error-code="import-untyped"
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.urls import URLPattern, URLResolver, get_resolver

from portico.link.app.facts.django_patterns import UntoldError, pattern
from portico.link.app.facts.django_unrouted import unrouted
from portico.link.app.facts.notes import combined, lost
from portico.site.pattern import is_of_folder


def facts(application: object) -> dict[str, Any]:
    """The part of AppFacts that Django can provide. It limits no request body, so there is no max_content_length."""
    notes: list[str] = []
    found = _routes(notes)
    static = _static(notes)
    return {
        "kind": "django",
        "version": django.get_version(),
        "static": [folder | {"is_guarded": _answers(folder["url"], found)} for folder in static],
        "life": r"max-age=\d+, public(?:, immutable)?",  # WhiteNoise's own
        **_session_cookie(),
        "hosts": [name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*"],
        "downloads": _downloads(),
        "routes": found,
        "unrouted": unrouted(get_resolver(), found) if found else None,
        "lost": lost(_views(get_resolver())) if found else {},
        "notes": notes + _media() + _channels(application),
    }


def _session_cookie() -> dict[str, str]:
    name = settings.SESSION_COOKIE_NAME
    return {"session_cookie": name} if name != "sessionid" else {}


def _channels(application: object) -> list[str]:
    name = getattr(settings, "ASGI_APPLICATION", None)
    if not isinstance(application, WSGIHandler) or not name or not {"channels", "daphne"} & _installed():
        return []
    module, _, attribute = name.rpartition(".")
    return [
        f"WebSockets of Channels are not answered by the WSGI app: portico run {module}:{attribute} answers both"
    ]


def _installed() -> set[str]:
    return {name.partition(".")[0] for name in settings.INSTALLED_APPS}


def _static(notes: list[str]) -> list[dict[str, str]]:
    url, root = settings.STATIC_URL, settings.STATIC_ROOT
    if url == "/":
        notes.append("STATIC_URL is the whole site (/): static files are left to the app")
    if not url or not url.startswith("/") or url.startswith("//") or url == "/":
        return []
    if not root:
        notes.append(_collect("STATIC_ROOT is not set, so nginx has nothing to serve: set it"))
    elif not Path(root).is_dir():
        notes.append(_collect(f"STATIC_ROOT does not exist ({root})"))
    else:
        origin = "Django's STATIC_ROOT"
        return [{"url": url.rstrip("/") + "/", "folder": str(Path(root).absolute()), "origin": origin}]
    return []


def _answers(url: str, routes: list[dict[str, Any]]) -> bool:
    """Whether the project serves static files itself: by WhiteNoise, or by a view of its own at their URL.

    Otherwise Django leaves them to the web server, whatever middleware there is.
    """
    return any("whitenoise" in name.lower() for name in settings.MIDDLEWARE) or any(
        is_of_folder(route["pattern"], url) for route in routes
    )


def _downloads() -> dict[str, str]:
    root = settings.MEDIA_ROOT
    return {str(Path(root).absolute()): "Django's MEDIA_ROOT"} if root and Path(root).is_dir() else {}


def _collect(what: str) -> str:
    return f"{what}, then run: python manage.py collectstatic"


def _media() -> list[str]:
    if not settings.MEDIA_ROOT or not settings.MEDIA_URL.startswith("/") or settings.MEDIA_URL == "/":
        return []
    line = f'"{settings.MEDIA_URL}" = "{settings.MEDIA_ROOT}"'
    return [f"MEDIA_ROOT is not served; if it is public, add under [static]: {line}"]


def _routes(notes: list[str]) -> list[dict[str, Any]]:
    try:
        return routes(get_resolver())
    except Exception as error:  # noqa: BLE001  urls.py runs the project's own code
        notes.append(f"the URLs could not be read: {type(error).__name__}: {error}")
        return []


def routes(resolver: URLResolver) -> list[dict[str, Any]]:
    """The routes below the root's resolver. Django takes the first that matches, in the order of urls.py."""
    found = _below("/", "/", "", resolver)
    ranked = [route | {"rank": number} for number, route in enumerate(found)]
    return sorted(ranked, key=lambda route: (route["rule"], route["endpoint"]))


def _below(prefix: str, begins: str, namespace: str, resolver: URLResolver) -> Iterator[dict[str, Any]]:
    for entry in resolver.url_patterns:
        rule = prefix + str(entry.pattern).removeprefix("^")
        matched = _pattern(begins, entry)
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from _below(rule, matched, inner, entry)
        else:
            for notes in combined([entry.callback]):
                yield {
                    "rule": rule,
                    "methods": _methods(entry),
                    "endpoint": namespace + _name(entry),
                    "pattern": matched,
                    **notes,
                }


def _pattern(begins: str, entry: URLPattern | URLResolver) -> str:
    """The pattern of a whole path; empty if there is none."""
    try:
        return begins and begins + pattern(entry)
    except UntoldError:
        return ""


def _views(resolver: URLResolver) -> Iterator[Any]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from _views(entry)
        else:
            yield entry.callback


def _name(entry: URLPattern) -> str:
    return str(entry.name or entry.lookup_str)


def _methods(entry: URLPattern) -> list[str]:
    """A class-based view declares its methods; a function does not, and the list stays empty."""
    view = getattr(entry.callback, "view_class", None)
    names = getattr(view, "http_method_names", ())
    return sorted(name.upper() for name in names if hasattr(view, name) and name not in ("head", "options"))
