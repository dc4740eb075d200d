"""The user's own timeouts and sizes that act before those of Portico's options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from portico.errors import Problem
from portico.site.own.model import Own
from portico.values import Duration, Size

_TIMES = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"": 1.0, "k": 1024.0, "m": 1024.0**2, "g": 1024.0**3}
_NUMBER = re.compile(r"(\d{1,12})([a-z]*)", re.IGNORECASE)
_READS = ("uwsgi_read_timeout", "proxy_read_timeout")


def own_limits(owns: Sequence[Own], timeout: Duration, largest: Size) -> list[Problem]:
    """Those that come before a request's `timeout` and the `largest` upload, with their lines.

    What is in blocks of the user's own is the user's to judge.
    """
    return [problem for own in owns if own.is_simple for problem in _sooner(own, timeout, largest)]


def _sooner(own: Own, timeout: Duration, largest: Size) -> Iterator[Problem]:
    where = own.causes[-1].partition(": ")[0] if own.causes else "[nginx]"
    text = own.args[0] if len(own.args) == 1 else ""
    if own.name in _READS and (seconds := _value(text, _TIMES)) and seconds < timeout:
        what = (
            f"{own.name} {text} ends a request, and request_timeout lets the worker go on for "
            f"{timeout}: its work is wasted"
        )
        yield Problem(where, what, f'take it out, and say request_timeout = "{Duration(seconds)}"')
    if own.name == "client_max_body_size" and (size := _value(text, _SIZES)) and size < largest:
        what = f"{own.name} {text} refuses what max_upload ({largest}) lets in"
        yield Problem(where, what, f'take it out, and say max_upload = "{Size(int(size))}"')


def _value(text: str, units: Mapping[str, float]) -> float:
    """The number that nginx reads; 0 for no limit, and for what it does not read."""
    found = _NUMBER.fullmatch(text)
    return int(found[1]) * units.get(found[2].lower(), 0) if found else 0
