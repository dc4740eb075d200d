"""No option is silently without effect over Apache httpd.

Every option that changes what nginx is told changes what httpd is told, or the plan names it: by an error, or by a
note. An option that changes nothing for nginx in its case here stands in `OF_NO_GATEWAY`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from portico.errors import PorticoError
from portico.plan.build import plan
from portico.plan.decide import decided
from portico.plan.gateway.kinds import gateway_of
from portico.site.options import Options
from portico.site.options.access import Access
from portico.site.options.edge import Edge
from portico.site.options.route import Route
from portico.site.options.section import Section
from tests.plan.test_golden import read

ROOMS = {"access": Access, "routes": Edge, "route": Route}
TABLES = {"access": '[access."/here"]', "routes": '[routes."/here"]', "route": "[[route]]"}
TEST = """
[test.place]
{build}
ca_file = "/etc/ssl/certs.pem"
resolvers = ["10.0.0.53"]
otlp = "1.45.2"
app_servers = {{ gunicorn = "27.0.1", uwsgi = "2.0.30" }}
[test.users]
"staff.users" = "bob:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
"office.networks" = "10.0.0.0/8"
"blocked.networks" = "10.0.0.0/8"
"""
ROUTES = """
[test.facts.unrouted]
slashes = "append"
merges = true
[[test.facts.unrouted.rules]]
rule = "/"
pattern = "/"
methods = ["GET"]
"""
WITHOUT_APP = "[test.facts]\nkind = 'remote'\napp = ''\nstatic = []\n"
BASE = {"domains": ["shop.example", "www.shop.example"], "behind": ["10.9.0.0/16"]}
VALUES: dict[str, Any] = {
    "access.users": "staff.users",
    "routes.users": "staff.users",
    "crawlers.search": "refuse",
    "https.mode": "local",
    "https.listen": ":8443",
    "https.profile": "modern",
    "https.hsts": "7d",
    "domains": ["other.example"],
    "guard.challenge": "always",
    "route.path": "/other/",
    "route.to": "http://10.0.0.8:80",
    "route.host": ["www.shop.example"],
    "upstream.servers": ["10.0.0.4:8000", "10.0.0.5:8000"],
    "upstream.method": "ip_hash",
    "upstream.hash_key": "$request_uri",
    "upstream.resolver": ["10.0.0.54"],
}
"""Where the example is the default, or does not fit the case."""
_AUTH = "http://127.0.0.1:4180/oauth2/auth"
_SERVERS = {"upstream.servers": ["app-a:8000", "app-b:8000"]}
_SECURE = {"upstream.servers": ["https://app-a", "https://app-b"], "upstream.tls_name": "other.internal"}
_WITH: tuple[tuple[dict[str, Any], str], ...] = (
    (
        {"https.mode": "files", "https.cert": "/etc/ssl/cert.pem", "https.key": "/etc/ssl/key.pem"},
        "https.cert https.key",
    ),
    ({"https.mode": "local"}, "https.listen https.profile https.hsts https.client_ca"),
    (
        {"https.mode": "local", "https.client_ca": "staff.pem"},
        "https.client_verify access.certificate routes.certificate",
    ),
    ({"access.auth": _AUTH}, "access.sign_in access.auth_headers"),
    ({"routes.auth": _AUTH}, "routes.sign_in routes.auth_headers"),
    ({"routes.cache": "60s"}, "routes.vary"),
    ({"cache.size": "1GiB"}, "cache.item"),
    ({"limits.rate": "10/second"}, "limits.exempt limits.dry_run"),
    ({"limits.rate": "10/second per session"}, "limits.session_cookie"),
    (
        {"limits.rate": "1/second per account", "limits.account_header": "X-User", "behind_headers": ["user"]},
        "limits.account_header",
    ),
    ({"https.mode": "local", "https.http2": "on"}, "https.http2"),
    ({"guard.waf": "block"}, "guard.waf_except"),
    ({"guard.challenge": "always", "routes.costly": True}, "guard.challenge_dry_run"),
    ({"routes.costly": True}, "guard.challenge"),
    ({"guard.challenge": "always"}, "routes.costly"),
    ({"guard.ban": "10m"}, "guard.ban_after guard.ban_dry_run"),
    ({"crawlers.training": "refuse"}, "crawlers.allow crawlers.dry_run"),
    ({"cors.origins": ["https://app.example"]}, "cors.methods cors.headers cors.expose cors.credentials cors.max_age"),
    ({"headers.csp": "default-src 'self'"}, "headers.csp_report_only"),
    (_SERVERS, "upstream.method upstream.sticky upstream.servers upstream.resolver upstream.check upstream.check_path"),
    (_SERVERS | {"upstream.method": "hash", "upstream.hash_key": "$remote_addr"}, "upstream.hash_key"),
    (_SECURE, "upstream.tls_name upstream.ca"),
    ({"mirror.to": "http://10.0.0.2:8000"}, "mirror.share"),
    (
        {"route.path": "/r/", "route.to": "http://10.0.0.7:80"},
        "route.path route.to route.host route.method route.header route.cookie route.share route.strip",
    ),
)  # fmt: skip
NEEDS = {name: needed for needed, names in _WITH for name in names.split()}
"""What else an option needs to have an effect; where its own key is there, it is changed."""
MORE = dict.fromkeys(("access.anybody", "routes.anybody"), '[access."/"]\nusers = "staff.users"\n')
"""What it needs beside its own table."""
SAID_ALWAYS = {
    "health": "says whether a release is live",
    "workers.count": "does not share the app fairly",
    "downloads.roots": "files below downloads.roots are sent by the worker",
}
"""A note of a site says what httpd does not do."""
OF_NO_GATEWAY = frozenset(
    [
        "app",
        "name",
        "python",
        "user",
        "client_headers",
        "start_timeout",
        "env_file",
        "env",
        "processes",
        "workers.threads",
        "workers.max_requests",
        "workers.max_memory",
        "workers.queue",
        "release.before",
        "release.after",
        "log.show",
        "log.size",
        "log.age",
        "log.keep",
        "trace.mask",
        "errors.pages",
        "metrics.password_file",
        "dashboard.password_file",
        "tracing.sample",
        "tracing.service",
        "tracing.headers_file",
        "nginx.binary",
        "apache.binary",
        "apache.main",
        "apache.server",
        "https.cert",
        "https.key",
        "https.hsts",
        "guard.ban_after",
    ]
)
"""Options that change nothing of what is written for nginx: Portico reads them, or copies what they name."""
NOT_HERE = frozenset(
    [
        "gateway",
        "https.acme_server",
        "https.acme_staging",
        "https.acme_ca",
        "https.acme_profile",
        "https.eab_kid",
        "https.eab_hmac_file",
        "https.dns",
        "https.dns_credentials",
        "https.resolver",
        "https.challenge_port",
        "fleet.directory",
        "fleet.fetch",
        "fleet.program",
        "fleet.gateway",
        "fleet.node",
        "upstream.facts",
    ]
)
"""The gateway itself, what Portico does alone (certificates and fleets), and a file that is read before there is a
plan.
"""


def _options() -> Iterator[tuple[str, Any]]:
    """Every option by its name, with its example."""
    for name, kind in get_type_hints(Options, include_extras=True).items():
        if name in ROOMS:
            yield from ((f"{name}.{key}", example) for key, example in _of(ROOMS[name]))
        elif isinstance(kind, type) and issubclass(kind, Section):
            yield from ((f"{name}.{key}", example) for key, example in _of(kind))
        else:
            yield name, _example(kind)


def _of(kind: type) -> Iterator[tuple[str, Any]]:
    for name, field in get_type_hints(kind, include_extras=True).items():
        if name != "shorthand":
            yield name, _example(field)


def _example(kind: Any) -> Any:
    meta = next(one for one in get_args(kind) if isinstance(one, msgspec.Meta))
    assert meta.extra is not None
    return meta.extra["example"]


def _toml(flat: dict[str, Any], gateway: str, more: str) -> str:
    """The case with these options."""
    tables: dict[str, list[str]] = {"": [f'gateway = "{gateway}"']}
    for name, value in flat.items():
        table, _, key = name.rpartition(".")
        tables.setdefault(table, []).append(f"{key} = {_value(value)}")
    heads = ((TABLES.get(table, f"[{table}]") if table else "", lines) for table, lines in tables.items())
    made = "".join(f"{head}\n" + "\n".join(lines) + "\n" for head, lines in heads)
    build = "apache" if gateway == "apache" else "debian-waf" if "guard.waf" in flat else ""
    facts = WITHOUT_APP if "upstream.servers" in flat else ROUTES
    return made + more + TEST.format(build=f'nginx = "{build}"' * bool(build)) + facts


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)


def _written(name: str, flat: dict[str, Any], gateway: str, home: Path) -> tuple[object, list[str]]:
    """What the gateway is told, and the notes. Raises PorticoError for what cannot be."""
    site, place = read(_toml(flat, gateway, MORE.get(name, "")), home)
    made = plan(site, place)
    web, kind = decided(site, place), gateway_of(place)
    return ({file.path: file.content for file in kind.files(web)}, kind.servers(web)), list(made.notes)


@pytest.mark.parametrize(
    ("name", "example"), sorted(_options()), ids=lambda one: one if isinstance(one, str) else ""
)
def test_an_option_is_written_for_httpd_or_named(name: str, example: Any, tmp_path: Path) -> None:
    if name in NOT_HERE:
        pytest.skip("read before there is a plan, or by Portico alone")
    without = ({} if name == "routed_by" else BASE) | NEEDS.get(name, {})
    with_it = without | {name: VALUES.get(name, example)}
    is_of_gateway = (
        _written(name, without, "nginx", tmp_path)[0] != _written(name, with_it, "nginx", tmp_path)[0]
    )
    assert is_of_gateway == (name not in OF_NO_GATEWAY)
    if not is_of_gateway:
        return
    try:
        files, notes = _written(name, with_it, "apache", tmp_path)
    except PorticoError as error:
        problems = [str(one) for one in error.problems]
    else:
        is_said = any(SAID_ALWAYS.get(name, f"{name} ") in note for note in notes)
        assert is_said or files != _written(name, without, "apache", tmp_path)[0]
        return
    assert any(_names(one, text) for one in {name, *NEEDS.get(name, {})} for text in problems), problems


def _names(option: str, text: str) -> bool:
    """Whether it is about that option; those of a path are called `routes."/here".cache`, or `/here: auth`."""
    table, _, key = option.rpartition(".")
    return option in text or (table in ROOMS and re.search(rf"{table}|/here.*\b{key}\b", text) is not None)
