"""The app server that stands beside a configuration: the app that it runs, and where it listens."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from portico.explain.adopted import Fate, Option, Remark
from portico.explain.finding import Backend


class Found(Struct, frozen=True):
    """A setting of an app server: a string, a number, or Ellipsis where it is computed; its place, and its text."""

    value: object
    cause: str
    text: str


Settings = Mapping[str, Found]
"""By Gunicorn's or uWSGI's own names."""


class AppServer(Struct, frozen=True):
    """One app server. `binds` are in the words of `upstream.servers`; empty if they are not known."""

    program: str
    where: str
    app: str
    directory: str
    binds: tuple[str, ...]
    options: tuple[Option, ...] = ()
    remarks: tuple[Remark, ...] = ()
    has_asgi: bool = False
    timeout: Option | None = None
    """The longest request, if it ends longer ones."""
    largest_body: Found | None = None
    """The largest request body, in digits, if it refuses larger ones."""

    @property
    def limits(self) -> tuple[Backend, ...]:
        """What findings compare with the web server's own limits, each with its place."""
        made, body = list[Backend](), self.largest_body
        if self.timeout:
            seconds = float(str(self.timeout.value).removesuffix("s"))
            made.append(Backend(self.timeout.cause or self.where, timeout=seconds))
        if body:
            made.append(Backend(body.cause or self.where, largest_body=int(str(body.value))))
        return tuple(made)


def remark(fate: Fate, found: Found, why: str, do: str = "") -> Remark:
    """What becomes of a setting."""
    return Remark(fate, found.cause, found.text, why, do)


_EVERY = ("", "0.0.0.0", "localhost", "*", "[::]")  # noqa: S104  read, not bound


def http_address(text: str) -> str:
    """Where an app server listens, in the words of `upstream.servers`; empty if a variable names it."""
    text = text.strip().removeprefix("tcp://").removeprefix("http://")
    if "$" in text or text.startswith("fd://") or not text:
        return ""
    if text.startswith(("unix:", "/")):
        return "unix:/" + text.removeprefix("unix:").lstrip("/")
    host, colon, port = text.rpartition(":")
    if not colon:
        host, port = (text, "8000") if not text.isdigit() else ("", text)
    host = "127.0.0.1" if host in _EVERY else host
    return f"{host}:{port}"
