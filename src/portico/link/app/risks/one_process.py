"""What certainly needs a single worker process: Socket.IO, and the locks of a WebDAV server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from portico.link.app.objects import is_a, objects
from portico.site.pattern import ANYTHING, escape

_SERVER = ("socketio.base_server", "BaseServer")
_SHARED = (
    ("socketio.pubsub_manager", "PubSubManager"),
    ("socketio.async_pubsub_manager", "AsyncPubSubManager"),
)
_MIDDLEWARE = ("engineio.middleware", "WSGIApp")
_THREADS = ("threading", "asgi")
_EXTENSION = ("flask_socketio", "SocketIO")
_DAV = ("wsgidav.wsgidav_app", "WsgiDAVApp")
_LOCKS = ("wsgidav.lock_man.lock_storage", "LockStorageDict")


def one_process(layers: Iterable[Any], inner: Any, directory: Path) -> dict[str, Any]:
    """The part of AppFacts about this: `one_process`, with a route for the polling requests of Socket.IO.

    `layers` are the app and all that it is wrapped in, `inner` the framework's own object.
    """
    layers = list(layers)
    answers: dict[str, Any] = {}
    servers = {id(server): server for server in _servers(layers, inner, directory)}
    for server in servers.values():
        if why := _why(server, "Flask-SocketIO" if _is_extension(inner) else "Socket.IO"):
            answers["one_process"] = why
    if any(is_a(thing, _DAV) and _is_in_memory(thing) for thing in layers):
        answers["one_process"] = "WsgiDAV keeps its locks in the memory of one process"
    routes = [_route(thing) for thing in layers if is_a(thing, _MIDDLEWARE)]
    return answers | ({"routes": routes[:1]} if routes else {}) | _driver(servers.values())


def _servers(layers: list[Any], inner: Any, directory: Path) -> Iterator[Any]:
    held = [thing for _, thing in objects(inner, directory)]
    inside = [getattr(thing, name, None) for thing in layers for name in ("engineio_app", "engineio_server")]
    extensions = [thing.server for thing in held if is_a(thing, _EXTENSION)]
    yield from (thing for thing in (*inside, *held, *extensions) if is_a(thing, _SERVER))


def _is_extension(inner: Any) -> bool:
    extensions = getattr(inner, "extensions", None)
    return isinstance(extensions, dict) and "socketio" in extensions


def _why(server: Any, name: str) -> str:
    """Why several processes are wrong; empty if they are right: WebSockets alone, and a message queue."""
    if "polling" in server.eio.transports:
        return f"{name} keeps its clients in the memory of one process, and a client that polls must come back to it"
    if not any(is_a(server.manager, names) for names in _SHARED):
        return f"{name} has no message queue: what one process sends does not reach the clients of another"
    return ""


def _driver(servers: Iterable[Any]) -> dict[str, Any]:
    """A note if Socket.IO would wait by a method that the worker's threads do not support."""
    wrong = next((one.async_mode for one in servers if one.async_mode not in _THREADS), "")
    what = f'Socket.IO waits by {wrong}, and the workers have threads: say async_mode="threading"'
    return {"notes": [what]} if wrong else {}


def _route(middleware: Any) -> dict[str, Any]:
    """A polling request waits for up to a minute: each has its own thread, as a stream has."""
    path = middleware.engineio_path
    return {
        "rule": f"{path}<path:rest>",
        "pattern": escape(path) + ANYTHING,
        "rank": -1,
        "endpoint": "socketio",
        "edge": {"stream": True},
        "where": "Socket.IO",
    }


def _is_in_memory(dav: Any) -> bool:
    storage = type(getattr(getattr(dav, "lock_manager", None), "storage", None))
    return (storage.__module__, storage.__name__) == _LOCKS  # a subclass may share them
