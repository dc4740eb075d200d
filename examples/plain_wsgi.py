"""No framework: a WSGI callable."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Greet, and say which path was asked for."""
    body = (
        f"Hello from plain WSGI at {environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}\n".encode()
    )
    start_response(
        "200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    )
    return [body]
