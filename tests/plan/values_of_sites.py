"""Sites with a value for every option, fact and path, and the same sites with one of these values hostile."""

from __future__ import annotations

import copy
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from portico.errors import Problem, UsageError
from portico.place.model import Place, RuleSet
from portico.plan.gateway.nginx.syntax import Directive
from portico.reading import OURS
from portico.site.access.rules import access_rules
from portico.site.crawlers import crawler_networks
from portico.site.environment import Environment
from portico.site.facts import AppFacts, RootFile, StaticFolder
from portico.site.load import load
from portico.site.model import Root, Site
from portico.site.options.route import Route
from portico.site.routed import routed
from portico.site.routing import RouteRule, ToFolder, by_rank, rule
from portico.values import Secrets
from tests.plan.nginx_parser import Read
from tests.plan.test_golden import BUILDS, PLACE, RULES

USERS = (
    "anna:$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG."
)

LOCAL: dict[str, Any] = {
    "toml": {
        "app": "shop:app",
        "name": "shop",
        "domains": ["shop.example", "www.shop.example"],
        "canonical": "shop.example",
        "email": "me@shop.example",
        "user": "shop",
        "python": ".venv",
        "mount": "/shop",
        "behind": ["10.0.0.0/8"],
        "behind_headers": ["scheme", "user", "certificate"],
        "client_headers": ["X-User-Id"],
        "health": "/healthz",
        "env": {"SECRET_KEY": "of the app"},
        "env_file": ["shop.env"],
        "static": {"/media/": "media"},
        "spa": "dist",
        "workers": {"count": 2},
        "limits": {
            "rate": ["5/second burst 20", "100/hour per session"],
            "bandwidth": "1MiB/second",
            "exempt": ["10.1.0.0/16"],
            "session_cookie": "sid",
            "account_header": "Remote-User",
        },
        "guard": {"others": ["/old/<path:rest>"], "routes": True},
        "crawlers": {
            "search": "2/second",
            "training": "refuse",
            "assistants": "10/minute",
            "others": "refuse",
            "allow": ["CCBot"],
            "refuse": ["Bytespider"],
            "networks": ["Googlebot 66.249.64.0/19"],
            "dns": "127.0.0.53",
        },
        "headers": {
            "preset": "strict",
            "csp": "default-src 'self'",
            "csp_report_only": True,
            "frames": ["https://frame.example"],
            "set": {"X-Added": "added"},
            "remove": ["X-Gone"],
        },
        "cors": {
            "origins": ["https://app.example", "https://*.api.example"],
            "methods": ["GET", "POST"],
            "headers": ["X-Asked"],
            "expose": ["X-Shown"],
        },
        "access": {
            "/admin": {"allow": ["10.0.0.0/8"], "deny": ["10.9.0.0/16"], "methods": ["GET"]},
            "/staff": {"users": "staff.users"},
            "/asked": {"auth": "/check", "sign_in": "/login", "auth_headers": ["X-Team"]},
            "/outside": {"auth": "http://127.0.0.1:4180/auth"},
        },
        "routes": {
            "/import/<int:number>": {
                "cache": "5m",
                "vary": ["Cookie"],
                "headers": {"X-Route": "routed"},
                "limit": ["5/minute per client"],
                "bandwidth": "64KiB/second",
            },
            "/api/<path:rest>": {"limit": ["9/minute per header:X-Key"]},
        },
        "downloads": {"roots": ["instance"]},
        "errors": {"pages": "pages"},
        "https": {
            "acme_server": "https://acme.example/directory",
            "acme_ca": "acme.pem",
            "acme_profile": "short",
            "eab_kid": "kid",
            "eab_hmac_file": "hmac",
            "resolver": "127.0.0.53",
        },
        "metrics": {"listen": "127.0.0.1:9145", "password_file": "metrics.password"},
        "dashboard": {"listen": "127.0.0.1:9146", "password_file": "look.password"},
        "tracing": {"endpoint": "http://127.0.0.1:4318", "service": "shop", "headers_file": "headers"},
        "trace": {"mask": ["token"], "server_timing": "local"},
        "node": {"gateways": ["192.168.7.0/24"]},
        "release": {"before": "flask db upgrade", "after": "python tell.py"},
        "processes": {"worker": "celery -A shop worker"},
    },
    "facts": {
        "app": "shop:app",
        "directory": "/srv/shop",
        "kind": "flask",
        "version": "3.1.3",
        "unicode": "14.0.0",
        "static": [
            {
                "url": "/static/",
                "folder": "/srv/shop/static",
                "origin": "the app's static folder",
                "headers": [["X-File", "filed"]],
                "cache_control": "max-age=60",
            },
            {"url": "/plain/", "folder": "/srv/shop/plain", "origin": "blueprint"},
        ],
        "left": [
            {"url": "/left/", "folder": "/srv/shop/left", "origin": "blueprint", "why": "a hook protects it"}
        ],
        "never_kept": ["/never/.*"],
        "static_versions": ["v"],
        "session_cookie": "session",
        "downloads": {"/srv/shop/instance": "the app's instance folder"},
        "routes": [
            {
                "rule": "/",
                "methods": ["GET"],
                "endpoint": "home",
                "pattern": "/",
                "edge": {"timeout": "5m"},
                "where": "a.py:1",
            },
            {
                "rule": "/tag/<name>",
                "methods": ["GET", "POST"],
                "endpoint": "tag",
                "pattern": "/tag/[^/]+",
                "edge": {
                    "limit": ["5/minute"],
                    "headers": {"X-Edge": "edged"},
                    "vary": ["Accept-Language"],
                    "cache": "1m",
                },
                "where": "a.py:2",
            },
            {"rule": "/login", "methods": ["GET"], "endpoint": "login", "pattern": "/login"},
            {"rule": "/check", "methods": ["GET"], "endpoint": "check", "pattern": "/check"},
        ],
        "unrouted": {
            "rules": [
                {"rule": "/", "pattern": "/", "methods": ["GET"]},
                {"rule": "/tag/<name>", "pattern": "/tag/[^/]+", "methods": ["GET", "POST"]},
            ],
            "page": "the error handler",
        },
        "notes": ["a note"],
        "remedy": "flask db upgrade",
    },
    "root_files": [{"url": "/favicon.ico", "path": "/srv/shop/dist/favicon.ico", "origin": "spa"}],
    "place": {
        "runtime": "/run/shop",
        "state": "/var/shop",
        "python": "/opt/python",
        "user": "root",
        "gateway_user": "www-data",
        "gateway_group": "www-data",
        "app_user": "shop",
        "shared_memory": "/dev/shm",
        "resolvers": ["127.0.0.53"],
        "ca_file": "/etc/ssl/ca.crt",
        "app_env": {"HOME": "/home/shop"},
        "rule_set": {
            "version": "3.3.4",
            "setup": "/etc/crs/setup.conf",
            "rules": "/usr/share/crs/rules",
            "unicode": "/etc/nginx/u",
        },
    },
    "call": {"words": ["--config", "portico.toml"], "directory": "/srv/shop", "user": "shop"},
    "pages": {"404.html": "own"},
    "hashed": ["/static/a.1234.js"],
    "unhashed": ["/static/b.js"],
}


def _with(base: dict[str, Any], **tables: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(base)
    for table, changes in tables.items():
        for key, value in changes.items():
            if value is None:
                made[table].pop(key, None)
            else:
                made[table][key] = value
    return made


_TABLES = (b"map", b"geo", b"types")
_LITERAL = (
    b"location",
    b"user",
    b"modsecurity_rules",
    b"proxy_ssl_trusted_certificate",
    b"load_module",
    b"include",
)
"""Directives in which a `$` means itself."""
_VARIABLES = re.compile(rb"(\$[a-z][a-z0-9_]*)+")
"""What the user may name as the key of `hash`: nothing but variables."""
_EVIL_VARIABLE = re.compile(rb"(?<!\\)\$\{?evil")
SITES: dict[str, dict[str, Any]] = {
    "local": LOCAL,
    "asgi": _with(LOCAL, facts={"kind": "asgi"}, toml={"guard": {}, "limits": {}, "downloads": {}}),
    "waf": _with(
        LOCAL,
        place={"nginx": "debian-waf"},
        toml={
            "guard": {
                "waf": "block",
                "waf_except": ["/editor/* 941100", "/hooks/*"],
                "ban": "10m",
                "scanners": True,
            },
            "https": {
                "cert": "full.pem",
                "key": "key.pem",
                "client_ca": "staff.pem",
                "client_verify": "optional",
            },
            "email": None,
        },
    ),
    "uwsgi": _with(
        LOCAL,
        toml={"workers": {"server": "uwsgi"}, "tracing": {}, "https": {}, "downloads": {}, "email": None},
    ),
    "routing": {
        "toml": {
            "name": "shop",
            "routed_by": ["front", "other"],
            "upstream": {"resolver": ["127.0.0.53"]},
            "mirror": {"to": "http://10.0.0.3:8000", "share": "5%"},
            "route": [
                {"path": "/api/", "to": "api", "host": ["api.example"]},
                {
                    "path": "/short/",
                    "to": "http://10.0.0.2:8000",
                    "strip": True,
                    "header": {"X-Canary": "always"},
                },
                {"path": "/deep/", "to": "https://app-b", "strip": True, "cookie": {"beta": "*"}},
                {"path": "/spoken", "to": "unix:/run/spoken.sock", "method": ["GET", "PUT"]},
                {"path": "/new", "to": "uwsgi://10.0.0.3:3031", "share": "10%"},
                {"path": "/old", "to": "308 https://new.example/there"},
                {"path": "/gone", "to": "410 gone.html"},
                {"path": "/files/", "to": "./folder/"},
            ],
        },
        "facts": {"app": "shop:app", "directory": "/srv/shop", "kind": "wsgi"},
        "place": {
            "runtime": "/run/shop",
            "state": "/var/shop",
            "ca_file": "/etc/ssl/ca.crt",
        },
        "call": {"words": ["--config", "portico.toml"], "directory": "/srv/shop", "user": "shop"},
        "root_files": [],
        "pages": {},
        "hashed": [],
        "unhashed": [],
    },
    "upstream": {
        "toml": {
            "name": "shop",
            "domains": ["shop.example"],
            "upstream": {
                "servers": ["https://one.example", "https://two.example weight=2"],
                "method": "hash",
                "hash_key": "$remote_addr",
                "sticky": "who",
                "check_path": "/up",
                "tls_name": "one.example",
                "ca": "ca.pem",
                "resolver": ["127.0.0.53"],
            },
            "fleet": {
                "directory": "/srv/shop",
                "fetch": "git pull",
                "program": "/opt/portico",
                "gateway": "gw",
                "node": ["10.0.0.1"],
            },
            "https": {"dns": "cloudflare", "dns_credentials": "dns.ini"},
            "email": "me@shop.example",
        },
        "facts": {"app": "", "directory": "/srv/shop", "kind": "remote"},
        "place": {
            "runtime": "/run/shop",
            "state": "/var/shop",
            "resolvers": ["127.0.0.53"],
            "ca_file": "/etc/ssl/ca.crt",
        },
        "call": {"words": ["--config", "portico.toml"], "directory": "/srv/shop", "user": "shop"},
        "root_files": [],
        "pages": {},
        "hashed": [],
        "unhashed": [],
    },
}


def toml(table: dict[str, Any], prefix: str = "") -> str:
    plain, tables = "", ""
    for key, value in table.items():
        name = f"{prefix}{_quoted(key)}"
        if isinstance(value, list) and value and isinstance(value[0], dict):
            tables += "".join(f"[[{name}]]\n{toml(one, f'{name}.')}" for one in value)
        elif isinstance(value, dict):
            tables += f"[{name}]\n{toml(value, f'{name}.')}"
        else:
            plain += f"{_quoted(key)} = {_value(value)}\n"
    return plain + tables


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value)
    return f"[{', '.join(map(_value, value))}]" if isinstance(value, list) else json.dumps(value)


def site_of(wanted: Mapping[str, Any]) -> tuple[Site, Place]:
    """The site and its place, without a look at the folders that it names: each is taken to be there."""
    with tempfile.TemporaryDirectory() as home:
        return _read(wanted, Path(home))


def _read(wanted: Mapping[str, Any], home: Path) -> tuple[Site, Place]:
    for name in _named(wanted["toml"]):
        with suppress(OSError, ValueError):  # no file can have that name
            (home / name).write_text(f"{USERS}\n")
    (home / "portico.toml").write_text(toml(wanted["toml"]), "utf-8", newline="")
    options, causes = load(home / "portico.toml", {})
    facts = msgspec.convert(wanted["facts"], AppFacts)
    settings = routed(options, facts, causes)
    problems: list[Problem] = []
    access = access_rules(options, settings, facts, home, causes, OURS, problems)
    networks = crawler_networks(options.crawlers, home, causes, OURS, problems)
    if problems:
        raise UsageError(*problems)
    at = facts.directory
    site = Site(
        options, facts, at, options.name or "shop", causes,
        tuple(StaticFolder(url, f"{at}/{path}", "[static]") for url, path in options.static.items()),
        spa=options.spa and f"{at}/{options.spa}",
        root_files=tuple(msgspec.convert(one, RootFile) for one in wanted["root_files"]),
        roots=tuple(Root(f"{at}/{path}", "[downloads]") for path in options.downloads.roots or []),
        routed=settings, access=access, crawler_networks=networks, pages=wanted["pages"],
        hashed=frozenset(wanted["hashed"]), unhashed=frozenset(wanted["unhashed"]),
        rules=by_rank(tuple(_rule(number, one) for number, one in enumerate(options.route, 1))),
        environment=Environment(Secrets(options.env)),
        password_file=options.dashboard.password_file, metrics_password_file=options.metrics.password_file,
    )  # fmt: skip
    return site, _place(dict(wanted["place"]))


def _rule(number: int, said: Route) -> RouteRule:
    try:
        made = rule(number, said)
    except ValueError as error:
        raise UsageError(Problem("portico.toml", str(error))) from None
    target = (
        replace(made.target, folder=f"/srv/shop/{made.target.folder}")
        if isinstance(made.target, ToFolder)
        else None
    )
    return replace(made, target=target or made.target)


def _place(at: dict[str, Any]) -> Place:
    build = BUILDS.get(at.pop("nginx", ""), PLACE.gateway)
    rules = msgspec.convert(at.pop("rule_set", msgspec.to_builtins(RULES)), RuleSet)
    known: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in at.items()
    }
    servers = {"gunicorn": "27.0.1", "uwsgi": "2.0.28"}
    return replace(PLACE, **known, gateway=build, app_servers=servers, otlp="1.27", rule_set=rules)


def _named(table: dict[str, Any]) -> Iterator[str]:
    for said in table.get("access", {}).values():
        if "users" in said:
            yield said["users"]


def words_of(tree: Iterable[Directive]) -> list[Any]:
    """The directives that Portico means, as `nginx_parser.read` returns them."""
    return [
        Read(
            tuple(word.encode() for word in (one.name, *one.args)),
            None if one.block is None else tuple(words_of(one.block)),
        )
        for one in tree
    ]


Kind = tuple[bytes, bytes, int]


def kinds(found: Iterable[Read], around: bytes = b"") -> Iterator[Kind]:
    """Which directives stand in which blocks, with how many words; the entries of a table are of one kind."""
    for one in found:
        name = b"*" if around in _TABLES else one.words[0]
        yield around, name, len(one.words)
        yield from kinds(one.block or (), name)


def variables(found: Iterable[Read]) -> Iterator[bytes]:
    """Words with a variable that no part of Portico's has, where nginx would look for it."""
    for one in found:
        name, *args = one.words
        if name == b"hash":
            yield from (word for word in args[:1] if not _VARIABLES.fullmatch(word))
        elif name not in _LITERAL:
            yield from (word for word in args if _EVIL_VARIABLE.search(word) and not word.startswith(b"~"))
        yield from variables(one.block or ())


class Name(NamedTuple):
    """The name of an entry that the user or the app chooses."""

    name: str


Way = tuple[str | int | Name, ...]
_TABLES_OF_NAMES = (
    ("toml", "static"), ("toml", "headers", "set"), ("toml", "access"), ("toml", "routes"),
    ("toml", "routes", "/import/<int:number>", "headers"), ("facts", "downloads"),
    ("facts", "routes", 1, "edge", "headers"), ("toml", "route", 1, "header"), ("toml", "route", 2, "cookie"),
)  # fmt: skip
_FIXED = ("kind", "nginx", "server", "method", "preset", "mode", "waf", "client_verify")
"""Words of a list: another one is refused where it is read."""


def leaves(value: Any, way: Way = ()) -> Iterator[Way]:
    """The ways to each string, and to each name of an entry that the user or the app chooses."""
    if isinstance(value, str) and way[-1] not in _FIXED:
        yield way
    elif isinstance(value, dict):
        for key, inner in value.items():
            if way and way in _TABLES_OF_NAMES:
                yield (*way, Name(key))
            yield from leaves(inner, (*way, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*way, number))


HOSTILE = (
    '"', "'", ";", '"; evil on; "', "'; evil on; '", "; evil on;", "}", "{", "} evil { ", "\n} evil {\n", "#", " # ",
    "$", "$evil", "${evil}", "\\", "\\\\", '\\"; evil on; #', " evil ", "\n", "\nevil on;\n", "\r\nEvil: 1\r\n", "\t",
    "\0", "\x7f", "`", "%", "%i", "é", "\u2028", "\xa0", "\x0b", "x" * 3000, "x" * 5000, "\x1b[2J", "(", "[", "~", "*",
    ",", ":", "/../", "\\n", "=", "@", "|", "!", "<", "^", "\\z", ".*",
)  # fmt: skip
FORMS = ("end", "begin", "middle")


def put(site: dict[str, Any], way: Way, form: str, evil: str) -> dict[str, Any]:
    """The site with that value hostile."""
    made = copy.deepcopy(site)
    *path, last = way
    inner: Any = made
    for step in path:
        inner = inner[step]
    old = last.name if isinstance(last, Name) else inner[last]
    half = len(old) // 2
    new = {"end": old + evil, "begin": evil + old, "middle": old[:half] + evil + old[half:]}[form]
    if isinstance(last, Name):
        pairs = [(new if key == old else key, value) for key, value in inner.items()]
        inner.clear()
        inner.update(pairs)
    else:
        inner[last] = new
    return made
