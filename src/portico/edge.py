"""Settings of nginx for a view, beside its route: `from portico import edge`.

Each decorator records a setting on the view and returns it unchanged: it costs nothing at run time, and without
Portico the app runs as before. Portico reads the settings when it asks the app for its routes and writes them as
nginx locations; a setting that cannot be used, or that no route reaches, is an error of `portico plan`.

    @app.post("/import")
    @edge.timeout("5m")
    @edge.max_upload("2GiB")
    def import_csv(): ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

NOTES = "__portico_edge__"
"""The attribute of a view with its settings: {"timeout": "5m", ...}."""

View = TypeVar("View", bound=Callable[..., Any])

_noted: list[Note] = []


class Note(dict[str, Any]):
    """The settings of one view, by their names under [routes] in portico.toml; `where` is "shop.py:14"."""

    where: str = ""
    view: str = ""


def timeout(duration: str) -> Callable[[View], View]:
    """How long the app may be silent during a request to this route; replaces `request_timeout`: "5m"."""
    return _noting(timeout=duration)


def max_upload(size: str) -> Callable[[View], View]:
    """The largest request body of this route; replaces the site's `max_upload`: "2GiB"."""
    return _noting(max_upload=size)


def stream(view: View) -> View:
    """Answers of this route go to the client as the view yields them, and may be silent for an hour."""
    return _noting(stream=True)(view)


def upload_to_file(view: View) -> View:
    """The app gets the file to which nginx wrote an upload: open as `wsgi.input`, its path as `portico.upload`."""
    return _noting(upload_to_file=True)(view)


def private(view: View) -> View:
    """No cache ever stores this route's answers: not nginx's, not a browser's, none in between."""
    return _noting(private=True)(view)


def cache(duration: str, *, vary: Sequence[str] = ()) -> Callable[[View], View]:
    """nginx caches this route's answers for that time: "60s"; the app's own headers (`max-age`, `private`) win.

    `vary` names what the answer depends on beside the URL: request headers, or cookies as "cookie:theme".
    """
    return _noting(cache=duration, **({"vary": list(vary)} if vary else {}))


def headers(values: Mapping[str, str]) -> Callable[[View], View]:
    """Headers of this route's answers, in addition to `[headers]`, unless the view sets them itself; "" removes
    one: {"Content-Security-Policy": "default-src 'self' https://maps.example"}.
    """
    return _noting(headers=dict(values))


def allow(*networks: str) -> Callable[[View], View]:
    """Only these networks, or those in these files, have access: "10.0.0.0/8"; all others get 403."""
    return _noting(allow=list(networks))


def deny(*networks: str) -> Callable[[View], View]:
    """These networks, or those in these files, have no access: 403."""
    return _noting(deny=list(networks))


def users(file: str) -> Callable[[View], View]:
    """Only the users of this file have access, with their passwords: "/etc/portico/staff.users"; else 401."""
    return _noting(users=file)


def certificate(view: View) -> View:
    """Only clients with a certificate that an authority of `https.client_ca` signed have access; else 403."""
    return _noting(certificate=True)(view)


def auth(view_or_address: str, *, sign_in: str | None = None) -> Callable[[View], View]:
    """That view of the app (its endpoint or path), or that service, decides about access: 2xx grants it.

    `sign_in` is the page for browsers that are not signed in: "/login?next=".
    """
    return _noting(auth=view_or_address, **({} if sign_in is None else {"sign_in": sign_in}))


def methods(*names: str) -> Callable[[View], View]:
    """nginx accepts these methods here and answers 405 to any other: "GET", "POST"."""
    return _noting(methods=list(names))


def internal(view: View) -> View:
    """No client has access from outside (404): the route is for requests of nginx's own."""
    return _noting(internal=True)(view)


def anybody(view: View) -> View:
    """Open to all clients, whatever [access] sets for the paths around it."""
    return _noting(anybody=True)(view)


def limit(
    rate: str = "",
    *,
    in_progress: int = 0,
    per: str = "client",
    burst: int | None = None,
    methods: Sequence[str] = (),
) -> Callable[[View], View]:
    """A limit for each client on this route, in addition to the site's limits: "5/minute", "100/hour",
    `in_progress=2`.

    Requests over it get 429 and never reach the app. `per` counts by "client", "session", "account" or
    "header:X-API-Key"; `burst` is how many beyond the first pass at once (default: the number of the rate);
    `methods` counts these only. All limits on one view apply. `limit("off")`: the site's limits do not apply here.
    """
    counted = [rate if burst is None else f"{rate} burst {burst}"] if rate else []
    counted += [f"{in_progress} in progress"] if in_progress else []
    more = f" of {','.join(methods)}" if methods else ""
    more += f" per {per}" if per != "client" else ""
    said = [f"{text}{more}" for text in counted]

    def note(view: View) -> View:
        before: Note = getattr(view, NOTES, None) or Note()
        return _noting(limit=[*before.get("limit", []), *said])(view)

    return note


def bandwidth(speed: str) -> Callable[[View], View]:
    """The bandwidth of each answer of this route; replaces the site's `limits.bandwidth`: "256KiB/second"."""
    return _noting(bandwidth=speed)


def costly(view: View) -> View:
    """What this route answers costs much: where `guard.challenge` is on, a browser shows a pass for it, which it gets
    for a small puzzle; whoever has none is answered by nginx (429)."""
    return _noting(costly=True)(view)


def noted() -> list[Note]:
    """The settings of every view so far, so that one that no route reaches can be found."""
    return _noted


def _noting(**settings: Any) -> Callable[[View], View]:
    def note(view: View) -> View:
        before: Note | None = getattr(view, NOTES, None)
        made = Note({**(before or {}), **settings})
        made.where, made.view = _where(view), getattr(view, "__qualname__", repr(view))
        try:
            setattr(view.__func__ if inspect.ismethod(view) else view, NOTES, made)
        except AttributeError:
            raise TypeError(
                f"portico.edge has no place for a note on {view!r}: wrap it in a function"
            ) from None
        # By identity: equal settings of two views are two.
        _noted[:] = [other for other in _noted if other is not before] + [made]
        return view

    return note


def _where(view: object) -> str:
    """The place of a view, as "/srv/shop/shop.py:14"."""
    try:
        thing: Any = inspect.unwrap(view) if callable(view) else view
        file = inspect.getsourcefile(thing) or "?"
        code = getattr(thing, "__code__", None)
        line = code.co_firstlineno if code else inspect.getsourcelines(thing)[1]
    except (TypeError, OSError):
        return str(getattr(view, "__module__", "the app"))
    return f"{file}:{line}"
