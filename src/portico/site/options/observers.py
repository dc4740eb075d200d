"""The tables of the observers: [metrics], [dashboard], [tracing], [trace]."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from portico.site.options.section import Section, option
from portico.values import Address


class Metrics(Section, frozen=True):
    """The metrics of the running site, for Prometheus."""

    shorthand: ClassVar[str] = "listen"

    listen: Annotated[
        Address | None,
        option(
            "Address of /metrics for Prometheus: numbers and the names of routes. It requires a password even on "
            "loopback, which every user of the machine can reach. Default: none; `portico metrics` prints them.",
            example="127.0.0.1:9145",
        ),
    ] = None
    password_file: Annotated[
        str,
        option(
            "File whose first line is the password, as Basic with any name or as Bearer; Portico alone reads it, "
            "at each request. Default: one that Portico makes, `look.password` in the state directory.",
            example="metrics.password",
            is_read=True,
        ),
    ] = ""


class Dashboard(Section, frozen=True):
    """The dashboard of the running site, in a browser."""

    shorthand: ClassVar[str] = "listen"

    listen: Annotated[
        Address | None,
        option(
            "Address of the dashboard. It requires a password even on loopback, which every user of the machine "
            "can reach. Default: none; `portico dashboard` serves it on loopback while it runs.",
            example="127.0.0.1:9146",
        ),
    ] = None
    password_file: Annotated[
        str,
        option(
            "File whose first line is the password that browsers ask for, with any name; Portico alone reads it, "
            "at each request. Default: one that Portico makes, `look.password` in the state directory.",
            example="dashboard.password",
            is_read=True,
        ),
    ] = ""


class Tracing(Section, frozen=True):
    """OpenTelemetry: every request belongs to a trace, and its spans are sent to a collector."""

    shorthand: ClassVar[str] = "endpoint"

    endpoint: Annotated[
        str,
        option(
            "Where spans are sent, by OTLP over HTTP: the URL of a collector; needs `pip install "
            "opentelemetry-proto requests`. `none`: the app gets `traceparent` and the log contains it, but "
            "nothing is sent. Default: no tracing.",
            example="http://127.0.0.1:4318",
            source="https://opentelemetry.io/docs/specs/otlp/#otlphttp",
        ),
    ] = ""
    sample: Annotated[
        float,
        option(
            "The share of traces that is sent, from 0 to 1, of those that begin here. A trace that a proxy of "
            "`behind` began is sent if the proxy says so.",
            example=0.1,
            source="https://opentelemetry.io/docs/specs/otel/trace/sdk/#traceidratiobased",
        ),
    ] = 1.0
    service: Annotated[
        str, option("The spans' `service.name`. Default: the site's `name`.", example="shop")
    ] = ""
    headers_file: Annotated[
        str,
        option(
            "File with headers for the collector, one `Name: value` a line, such as an API key; Portico alone "
            "reads it, each time it sends.",
            example="collector.headers",
            is_read=True,
        ),
    ] = ""


class Trace(Section, frozen=True):
    """The traces that `portico trace` writes."""

    shorthand: ClassVar[str] = "mask"

    mask: Annotated[
        list[str],
        option(
            "Headers, environ variables and query parameters whose values a trace does not show. Cookies, "
            "authorization and names like token, secret, password, session are always masked.",
            example=["X-Customer", "email"],
        ),
    ] = []
    server_timing: Annotated[
        Literal["off", "local"],
        option(
            "Who gets the times of a request in the header `Server-Timing`, which a browser's developer tools show: "
            "queue, app, the gateway until the head, and the cache. `local`: clients on this machine whose "
            "request came through no proxy. Default: nobody.",
            example="local",
            source="https://www.w3.org/TR/server-timing/",
        ),
    ] = "off"
