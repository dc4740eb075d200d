"""How the worker hands a file to nginx: the names that both sides share."""

from __future__ import annotations

from typing import Final

ROOTS: Final = "PORTICO_DOWNLOADS"
"""The worker's variable with the folders that nginx may send from: a JSON list in the order of their numbers."""
READER: Final = "PORTICO_NGINX_USER"
"""The variable that names nginx's user, if it is not the app's."""
SENDER: Final = "PORTICO_DOWNLOADS_BY"
"""The variable that is WORKER where the gateway sends no files for the app."""
WORKER: Final = "worker"
PREFIX: Final = "/-/download/"

KEPT: Final = frozenset(("content-type", "content-disposition", "cache-control", "expires", "set-cookie"))
"""The app's headers that nginx keeps by itself after an X-Accel-Redirect, repeated ones included."""
CARRIED: Final = (
    "ETag", "Last-Modified", "Vary", "Link",
    "Content-Language", "Content-Location", "Content-Security-Policy", "Content-Security-Policy-Report-Only",
    "Strict-Transport-Security", "X-Frame-Options", "X-Content-Type-Options", "X-Robots-Tag", "X-XSS-Protection",
    "Referrer-Policy", "Permissions-Policy", "Feature-Policy", "Timing-Allow-Origin", "Server-Timing",
    "Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy", "Cross-Origin-Resource-Policy",
    "Origin-Agent-Cluster",
    "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
    "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age",
    "X-Download-Options", "X-Permitted-Cross-Domain-Policies",
)  # fmt: skip
"""The app's headers that nginx would drop; the location of a download sets them again."""


def whole(number: int) -> str:
    """The internal URI of a root's files, for requests of a whole file."""
    return f"{PREFIX}{number}/"


def part(number: int) -> str:
    """The same for range requests, which do not work with compression."""
    return f"{PREFIX}{number}-part/"
