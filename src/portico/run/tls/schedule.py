"""When a certificate is asked for, and again, and when browsers may insist on HTTPS. Pure: times in, times out."""

from __future__ import annotations

from portico.values import Duration

DAY = 86400.0
SERVER, REFUSED, UNREADY = "server", "refused", "unready"
"""What kept us from a certificate: a server that is down or busy, its verdict about names or limits, or what we saw
ourselves before anybody was asked."""
_PAUSES = {
    # Down, busy, out of nonces: nothing was judged, so nothing is counted against us.
    SERVER: (10, 30, 60, 120, 300, 600, 1800),
    # We asked nobody but name servers and ourselves: a record that is put right is seen soon.
    UNREADY: (10, 30, 60, 120, 300, 600),
    # Let's Encrypt takes 5 failed validations of a name an hour (https://letsencrypt.org/docs/rate-limits/):
    # these are four in the first hour, and then fewer.
    REFUSED: (120, 600, 1800, 3600, 7200, 14400, 28800, 86400),
}
JITTER = 0.1
WARN_DAYS = 14.0
RAMP = ((300, 0.0), (86400, DAY), (365 * 86400, 8 * DAY))
"""Seconds that browsers are told, and how long the site must have proven itself before: at once 5 minutes, a day after
a day, a year after a week of that."""
YEAR = 365 * 86400


def pause(kind: str, failures: int, lot: float) -> float:
    """How long to wait after so many failures in a row; `lot` is a number from 0 to 1 drawn for this wait."""
    pauses = _PAUSES[kind]
    return pauses[min(failures, len(pauses)) - 1] * (1 + JITTER * lot)


def renew_at(not_before: float, not_after: float, lot: float, wished: float | None = None) -> float:
    """When to renew: what the authority wishes (ARI), else a third of the lifetime before the end, some time later.

    Never after the last tenth has begun: an authority that wishes nonsense cannot let it expire.
    """
    lifetime = not_after - not_before
    latest = not_after - lifetime / 10
    if wished is not None:
        return min(wished, latest)
    return not_after - lifetime / 3 + lifetime / 30 * lot


def hsts_seconds(wish: str, proven_seconds: float | None) -> int:
    """What browsers are told: `wish` is the option; `proven_seconds` how long HTTPS has been well, None for not."""
    if wish == "off":
        return 0
    if wish == "preload":
        return YEAR
    if wish != "ramp":
        return int(Duration.parse(wish))
    if proven_seconds is None:
        return 0
    return max(seconds for seconds, after in RAMP if proven_seconds >= after)
