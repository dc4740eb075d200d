"""When a certificate is asked for, and again, and when browsers may insist on HTTPS. Pure: times in, times out."""

from __future__ import annotations

from typing import Literal

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
SHORT = 10 * DAY
"""A certificate that lives no longer is renewed at half its life: a third would leave two days to mend what fails."""
MOST_WARNING = 30 * DAY
"""A certificate of a year is renewed months ahead; nobody wants to read of it every day of them."""
MOST_URGENT = 7 * DAY
Phase = Literal["good", "warn", "urgent", "ended"]
RAMP = ((300, 0.0), (86400, DAY), (365 * 86400, 8 * DAY))
"""Seconds that browsers are told, and how long the site must have proven itself before: at once 5 minutes, a day after
a day, a year after a week of that."""
YEAR = 365 * 86400


def pause(kind: str, failures: int, jitter: float) -> float:
    """How long to wait after so many failures in a row; `jitter` is a number from 0 to 1 drawn for this wait."""
    pauses = _PAUSES[kind]
    return pauses[min(failures, len(pauses)) - 1] * (1 + JITTER * jitter)


def renew_at(not_before: float, not_after: float, jitter: float, wished: float | None = None) -> float:
    """When to renew: the authority's time (ARI), else a third of the lifetime before the end, for a short one half.

    `jitter` spreads it a little. Never later than a fifth of the lifetime before the end, whatever the authority says:
    so it always comes before the first warning.
    """
    lifetime = not_after - not_before
    if wished is not None:
        return min(wished, not_after - lifetime / 5)
    share = lifetime / 2 if lifetime <= SHORT else lifetime / 3
    return not_after - share + lifetime / 30 * jitter


def warn_at(not_before: float, not_after: float) -> float:
    """When the first warning is due: the renewal should have been done long ago. A sixth of the lifetime is left."""
    return not_after - min((not_after - not_before) / 6, MOST_WARNING)


def urgent_at(not_before: float, not_after: float) -> float:
    """When the warning is an error: a fifteenth of the lifetime is left."""
    return not_after - min((not_after - not_before) / 15, MOST_URGENT)


def phase(not_before: float, not_after: float, now: float) -> Phase:
    """How far a certificate is in its life."""
    if now >= not_after:
        return "ended"
    if now >= urgent_at(not_before, not_after):
        return "urgent"
    return "warn" if now >= warn_at(not_before, not_after) else "good"


def remind_seconds(lifetime: float) -> float:
    """How long between two warnings of one certificate: a day, for short ones less, at least a minute."""
    return max(60.0, min(DAY, lifetime / 90))


def hsts_seconds(option: str, proven_seconds: float | None) -> int:
    """What browsers are told: `option` as declared; `proven_seconds` how long HTTPS has been well, None for not."""
    if option == "off":
        return 0
    if option == "preload":
        return YEAR
    if option != "ramp":
        return int(Duration.parse(option))
    if proven_seconds is None:
        return 0
    return max(seconds for seconds, after in RAMP if proven_seconds >= after)
