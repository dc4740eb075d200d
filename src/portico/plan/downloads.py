"""How the worker hands a file to nginx: the names that both ends must agree on."""

from __future__ import annotations

from typing import Final

ROOTS: Final = "PORTICO_DOWNLOADS"
"""The variable that tells the worker the folders nginx may send from: a JSON list, in the order of their numbers."""
READER: Final = "PORTICO_NGINX_USER"
"""The variable that names nginx's user, when it is another than the app's."""
PREFIX: Final = "/-/download/"

KEPT: Final = frozenset(("content-type", "content-disposition", "cache-control", "expires", "set-cookie"))
"""Headers of the app that nginx keeps by itself when X-Accel-Redirect leads elsewhere, however often they come."""
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
"""Headers of the app that nginx would drop and that the location of a download therefore says again."""


def whole(number: int) -> str:
    """Where nginx finds the files of a root, when the client asked for all of one."""
    return f"{PREFIX}{number}/"


def part(number: int) -> str:
    """The same when the client asked for a range, which compression would do away with."""
    return f"{PREFIX}{number}-part/"
