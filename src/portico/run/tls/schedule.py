"""The times of orders and retries, and the steps of HSTS. Pure: times in, times out."""

from __future__ import annotations

from typing import Literal

from portico.values import Duration

DAY = 86400.0
SERVER, REFUSED, UNREADY = "server", "refused", "unready"
"""The kinds of failure: a server that is down or busy, its verdict about names or limits, or our own findings
before the authority was asked."""
_PAUSES = {
    # Down, busy, out of nonces: there was no verdict, so no limit counts it.
    SERVER: (10, 30, 60, 120, 300, 600, 1800),
    # Only name servers and this site were asked: a corrected record is noticed soon.
    UNREADY: (10, 30, 60, 120, 300, 600),
    # Let's Encrypt allows 5 failed validations of a name per hour (https://letsencrypt.org/docs/rate-limits/):
    # these are four in the first hour, and then fewer.
    REFUSED: (120, 600, 1800, 3600, 7200, 14400, 28800, 86400),
}
JITTER = 0.1
SHORT = 10 * DAY
"""A certificate with at most this lifetime is renewed at half of it: a third would leave two days for repairs."""
MOST_WARNING = 30 * DAY
"""A certificate of a year is renewed months ahead, which needs no daily warning."""
MOST_URGENT = 7 * DAY
Phase = Literal["good", "warn", "urgent", "ended"]
RAMP = ((300, 0.0), (86400, DAY), (365 * 86400, 8 * DAY))
"""The max-age in seconds, and how long the site must have been healthy: at once 5 minutes, a day after
one day, a year after a week of that."""
YEAR = 365 * 86400


def pause(kind: str, failures: int, jitter: float) -> float:
    """The delay after this many consecutive failures; `jitter` is a random number from 0 to 1."""
    pauses = _PAUSES[kind]
    return pauses[min(failures, len(pauses)) - 1] * (1 + JITTER * jitter)


def renew_at(not_before: float, not_after: float, jitter: float, wished: float | None = None) -> float:
    """The time of renewal: the authority's (ARI), else when a third of the lifetime is left, for a short one half.

    `jitter` spreads it a little. At least a fifth of the lifetime is left, whatever the authority says:
    so renewal always comes before the first warning.
    """
    lifetime = not_after - not_before
    if wished is not None:
        return min(wished, not_after - lifetime / 5)
    share = lifetime / 2 if lifetime <= SHORT else lifetime / 3
    return not_after - share + lifetime / 30 * jitter


def warn_at(not_before: float, not_after: float) -> float:
    """The time of the first warning: the renewal is long overdue. A sixth of the lifetime is left."""
    return not_after - min((not_after - not_before) / 6, MOST_WARNING)


def urgent_at(not_before: float, not_after: float) -> float:
    """When the warning becomes an error: a fifteenth of the lifetime is left."""
    return not_after - min((not_after - not_before) / 15, MOST_URGENT)


def phase(not_before: float, not_after: float, now: float) -> Phase:
    """The stage in a certificate's lifetime."""
    if now >= not_after:
        return "ended"
    if now >= urgent_at(not_before, not_after):
        return "urgent"
    return "warn" if now >= warn_at(not_before, not_after) else "good"


def remind_seconds(lifetime: float) -> float:
    """The interval between warnings about one certificate: a day, less for short ones, at least a minute."""
    return max(60.0, min(DAY, lifetime / 90))


def hsts_seconds(option: str, proven_seconds: float | None) -> int:
    """The max-age of HSTS: `option` as declared; `proven_seconds` how long HTTPS has been healthy, None if it is
    not.
    """
    if option == "off":
        return 0
    if option == "preload":
        return YEAR
    if option != "ramp":
        return int(Duration.parse(option))
    if proven_seconds is None:
        return 0
    return max(seconds for seconds, after in RAMP if proven_seconds >= after)
