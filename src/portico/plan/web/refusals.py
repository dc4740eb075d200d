"""The names of guards in the log line, the metrics and the commands."""

from __future__ import annotations

MAINTENANCE, HEAD, SCANNER, ROUTES, RATE, CONNECTIONS, UPLOAD, STARTING, WAF, QUEUE, SHARE = (
    "maintenance", "head", "scanner", "routes", "rate", "connections", "upload", "starting", "waf", "queue", "share",
)  # fmt: skip
CHALLENGE, GUESS = "challenge", "guess"
BAN, CRAWLER, FORGED, PATH, NETWORK, INTERNAL, METHOD, CERTIFICATE, PASSWORD, AUTH = (
    "ban", "crawler", "forged", "path", "network", "internal", "method", "certificate", "password", "auth",
)  # fmt: skip
"""The names of guards in the log line (`refused_by`): those above, the largest upload, the start of the app, and
its full queue.
"""
STATUSES = {
    MAINTENANCE: 503, STARTING: 503, QUEUE: 503, HEAD: 431, UPLOAD: 413, RATE: 429, CONNECTIONS: 429, SHARE: 429,
    PATH: 400, NETWORK: 403, INTERNAL: 404, METHOD: 405, WAF: 403, CERTIFICATE: 403, PASSWORD: 401, AUTH: 401,
    SCANNER: 404, ROUTES: 404, BAN: 403, CRAWLER: 403, FORGED: 403, CHALLENGE: 429, GUESS: 401,
}  # fmt: skip
"""The status of each."""
SECOND = {ROUTES: 405, GUESS: 429, AUTH: 403}
"""Another status of some: for a wrong method, for a client that has guessed too often, for a user without access."""
GUARDS = tuple(STATUSES)
UNSAID = (HEAD, UPLOAD, RATE, CONNECTIONS, SHARE, PASSWORD, GUESS)
"""Guards whose refusals the gateway's limits report; the others report their own."""
