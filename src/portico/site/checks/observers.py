"""Rules for the options of the observers, beyond their types: [log], [trace], [metrics], [dashboard], [tracing]."""

from __future__ import annotations

import re

from portico.site.checks.rule import NAME, Broken, Rules
from portico.site.options import Options
from portico.values import Address, Size

NOWHERE = "none"
"""A value of tracing.endpoint: trace IDs, but no spans are sent."""
_COLLECTOR = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(/[A-Za-z0-9._~/@:+%-]*)?")
_LEAST_LOG = Size(1 << 20)
_LEAST_AGE = 60
_MOST_KEPT = 1000


def _log_size(options: Options) -> Broken:
    if 0 < options.log.size < _LEAST_LOG:
        yield (
            f"{options.log.size} holds only a few hundred requests",
            "expected at least 1MiB, or 0B to disable",
        )


def _log_age(options: Options) -> Broken:
    if 0 < options.log.age < _LEAST_AGE:
        yield f"{options.log.age} is too short", "expected at least 1m, or 0s to disable"


def _log_keep(options: Options) -> Broken:
    if not 1 <= options.log.keep <= _MOST_KEPT:
        yield f"{options.log.keep} is out of range", f"expected 1 to {_MOST_KEPT}"


def _trace_mask(options: Options) -> Broken:
    for name in options.trace.mask:
        if not NAME.fullmatch(name):
            yield f'"{name}" is not the name of a header or a parameter', "expected a name like X-Customer"


def _metrics_listen(options: Options) -> Broken:
    yield from _own_door(options, options.metrics.listen, options.dashboard.listen)


def _dashboard_listen(options: Options) -> Broken:
    yield from _own_door(options, options.dashboard.listen, None)


def _tracing_endpoint(options: Options) -> Broken:
    endpoint = options.tracing.endpoint
    if endpoint in ("", NOWHERE) or _COLLECTOR.fullmatch(endpoint):
        return
    hint = (
        f"expected a URL such as http://127.0.0.1:4318, or {NOWHERE}; secrets belong in tracing.headers_file"
    )
    yield f'"{endpoint}" is not the URL of a collector', hint


def _tracing_sample(options: Options) -> Broken:
    if not 0 <= options.tracing.sample <= 1:
        yield f"{options.tracing.sample} is not a share", "expected a number from 0 to 1"


def _tracing_service(options: Options) -> Broken:
    if not options.tracing.service.isprintable():
        yield "a service name has no control characters", "expected a name such as shop"


def _own_door(options: Options, address: Address | None, other: Address | None) -> Broken:
    if address and address in (options.listen, other):
        yield f"{address} is in use: another service of this site listens there", "choose another port"


OBSERVER_RULES: Rules = {
    "log.size": _log_size,
    "log.age": _log_age,
    "log.keep": _log_keep,
    "trace.mask": _trace_mask,
    "metrics.listen": _metrics_listen,
    "dashboard.listen": _dashboard_listen,
    "tracing.endpoint": _tracing_endpoint,
    "tracing.sample": _tracing_sample,
    "tracing.service": _tracing_service,
}
