"""Site in, files out: the exact bytes. `default` holds whole files, each other case what differs from it."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from portico.errors import PorticoError
from portico.place.gateway.httpd import NEEDED
from portico.place.model import Build, Package, Place, RuleSet
from portico.plan.build import plan
from portico.plan.files import Directory, Line
from portico.plan.gateway.nginx.security.advisories import ADVISORIES
from portico.plan.model import Plan
from portico.plan.subjects import Precompressed
from portico.reading import OURS
from portico.site.access.rules import access_rules
from portico.site.crawlers import crawler_networks
from portico.site.facts import AppFacts, StaticFolder
from portico.site.load import load
from portico.site.model import Root, Site
from portico.site.options import Options
from portico.site.own.model import Own, OwnText
from portico.site.own.nginx.syntax import own
from portico.site.own.tables import table_of
from portico.site.routed import routed
from portico.site.routing import ToFolder, by_rank, rule
from portico.values import Address
from tests.support import RULE, golden

GOLDEN = Path(__file__).parents[1] / "golden" / "plan"
MODULES = frozenset({
    "http_auth_request_module", "http_ssl_module", "http_v2_module", "http_secure_link_module",
})  # fmt: skip
EMBEDDED = Build("nginx", "/opt/nginx", (1, 31, 3), MODULES, openssl=(3, 3, 7))
PATCHED = Package(
    "nginx", "1.22.1-9+deb12u11", "dpkg", frozenset(one.id for one in ADVISORIES), has_changelog=True
)
DEBIAN = Build(
    "nginx", "/usr/sbin/nginx", (1, 22, 1), MODULES, origin="system", openssl=(3, 0, 19), package=PATCHED
)
NEW = Build("nginx", "/usr/sbin/nginx", (1, 31, 9), MODULES, origin="system", openssl=(3, 5, 4))
BROTLI = replace(
    DEBIAN, loadable={"brotli_filter": "/usr/lib/nginx/modules/ngx_http_brotli_filter_module.so"}
)
WAF = replace(DEBIAN, loadable={"modsecurity": "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so"})
HEADERS_MORE = replace(
    DEBIAN, loadable={"headers_more_filter": "/usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so"}
)
APACHE_MODULES = frozenset({"core", "so", "watchdog", "http_core", "log_config", "logio", "version", "unixd"})
APACHE_FILES = {
    name: f"/usr/lib/apache2/modules/mod_{name}.so"
    for name in (
        *NEEDED, "filter", "lbmethod_byrequests", "ssl", "socache_shmcb", "http2", "deflate", "brotli", "remoteip",
        "proxy_fcgi",
        "security2", "ratelimit", "authn_core", "authn_file", "authz_user", "auth_basic", "env",
        "lbmethod_bybusyness",
    )
}  # fmt: skip
APACHE = 'gateway = "apache"\n[test.place]\nnginx = "apache"\n'
WHOLE = ("default", "apache")
"""Cases with whole files; `apache-*` have what differs from the second."""
BUILDS = {
    "debian-waf": WAF,
    "debian": DEBIAN,
    "debian-unpatched": replace(DEBIAN, package=None),
    "new": NEW,
    "debian-brotli": BROTLI,
    "debian-headers-more": HEADERS_MORE,
    "quic": Build("nginx", "/opt/nginx-quic", (1, 31, 3), MODULES | {"http_v3_module"}, origin="path"),
    "apache": Build(
        "apache", "/usr/sbin/apache2", (2, 4, 62), APACHE_MODULES, origin="system", loadable=APACHE_FILES
    ),
    "bare": Build("nginx", "/opt/nginx-bare", (1, 31, 3), MODULES - {"http_ssl_module"}, origin="path"),
    "unsigned": Build(
        "nginx", "/opt/nginx-unsigned", (1, 31, 3), MODULES - {"http_secure_link_module"}, origin="path"
    ),
}
RULES = RuleSet(
    "3.3.4",
    "/etc/modsecurity/crs/crs-setup.conf",
    "/usr/share/modsecurity-crs/rules",
    "/etc/nginx/unicode.mapping",
)
"""Where Debian has them: the installed nginx reads them in another test."""
PLACE = Place(
    gateway=EMBEDDED,
    runtime="/run/shop",
    state="/var/shop",
    python="/opt/python",
    app_servers={"gunicorn": "27.0.1"},
    cpus=2.0,
    cpus_source="CPUs this process may run on",
    memory=4 << 30,
    memory_source="the machine's memory",
    somaxconn=4096,
    file_limit=20000,
    user="shop",
    shared_memory="/dev/shm",
    rule_set=RULES,
)
FACTS = AppFacts(
    app="shop:app",
    directory="/srv/shop",
    kind="flask",
    version="3.1.3",
    static=[StaticFolder("/static/", "/srv/shop/static", "the app's static folder")],
)


def _own_text(options: Options) -> OwnText:
    if options.gateway == "apache":
        return table_of(options).read(options, Path("/srv/shop"), {}, OURS, [])
    return OwnText(_own(options.nginx.http), _own(options.nginx.server))


def _own(entries: list[str]) -> tuple[Own, ...]:
    return tuple(one for entry in entries for one in own(entry))


def case(text: str, directory: Path, installed: Build | None = None) -> Plan:
    """The plan of a case."""
    return plan(*read(text, directory, installed))


def read(text: str, directory: Path, installed: Build | None = None) -> tuple[Site, Place]:
    """A case is a portico.toml; its table [test] changes the rest. `installed` stands in for the case's own nginx."""
    own: dict[str, Any] = tomllib.loads(text).get("test", {})
    toml = directory / "portico.toml"
    toml.write_text(text.partition("[test")[0])
    options, causes = load(toml, {})
    wanted = own.get("place", {})
    if name := wanted.pop("nginx", ""):
        wanted["gateway"] = BUILDS[name]
    if installed:
        wanted["gateway"] = installed
    facts = msgspec.convert(msgspec.to_builtins(FACTS) | own.get("facts", {}), AppFacts)
    declared = tuple(
        StaticFolder(url, f"/srv/shop/{path}", "[static]") for url, path in options.static.items()
    )
    roots = options.downloads.roots or []
    for name, users in own.get("users", {}).items():
        (directory / name).write_text(users)
    with_settings = routed(options, facts, causes)
    rules = tuple(
        rule(number, one, f"{causes[f'route.{number}.to']}: route")
        for number, one in enumerate(options.route, 1)
    )
    declared += tuple(
        StaticFolder(f"{one.path.rstrip('/')}/", "/srv/shop/folder", one.cause)
        for one in rules
        if isinstance(one.target, ToFolder)
    )
    site = Site(
        options, facts, "/srv/shop", "shop", causes, declared, rules=by_rank(rules),
        spa=options.spa and f"/srv/shop/{options.spa}",
        own=_own_text(options),
        roots=tuple(Root(f"/srv/shop/{path}", "[downloads]", is_declared=True) for path in roots),
        routed=with_settings,
        crawler_networks=crawler_networks(options.crawlers, directory, causes, OURS, []),
        access=access_rules(options, with_settings, facts, directory, causes, OURS, []),
        hashed=frozenset(own.get("hashed", ())), unhashed=frozenset(own.get("unhashed", ())),
    )  # fmt: skip
    return site, replace(PLACE, **wanted)


def printed(made: Plan) -> list[str]:
    lines = []
    for file in made.files:
        if not file.path.startswith("errors/"):
            mode = f" {file.mode:04o}" * (file.mode != 0o644)
            lines += [f"== {file.path}{mode}", *file.content.splitlines()]
    lines += ["== commands", *(" ".join(process.argv) for process in (made.gateway, made.server))]
    lines += ["== urls", *made.urls, "== notes", *made.notes, *made.alarms, "== plan"]
    shown = {"files", "urls", "notes", "alarms"}
    return lines + [
        line for name, value in fields_of(made) if name not in shown for line in flat(name, value)
    ]


def fields_of(value: object) -> list[tuple[str, Any]]:
    """The fields of a value of the plan's; of what is no such value, nothing."""
    names = value.__struct_fields__ if isinstance(value, msgspec.Struct) else ()
    return [(name, getattr(value, name)) for name in names]


def flat(name: str, value: object) -> list[str]:
    """A line for each value, named by its way through the plan; small values that belong together share one."""
    if isinstance(value, Directory):
        return [
            f"{name} {value.path} {value.mode:04o} {value.owner}:{value.group}{' secret' * value.is_secret}"
        ]
    if isinstance(value, Address | Line | Precompressed):
        return [f"{name} {getattr(value, 'text', value)}"]
    if isinstance(value, tuple):
        return [line for one in value for line in flat(name, one)]
    if isinstance(value, Mapping):
        return [f"{name}.{key} {one}" for key, one in sorted(value.items())]
    if parts := fields_of(value):
        hidden = {"argv", "why", "reader"}
        return [line for part, one in parts if part not in hidden for line in flat(f"{name}.{part}", one)]
    return [f"{name} {value}"] if value not in ("", None) else []


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_golden_plan(path: Path, tmp_path: Path) -> None:
    text = path.read_text().partition(RULE)[0]
    try:
        lines = printed(case(text, tmp_path))
    except PorticoError as error:
        golden(path, f"{error}\n")
        return
    if path.stem not in WHOLE:
        of_apache = path.stem.startswith("apache")
        base = printed(case(APACHE if of_apache else "", tmp_path))
        lines = [
            line
            for line in difflib.unified_diff(base, lines, n=0, lineterm="")
            if line[:3] not in ("---", "+++")
        ]
        lines = [line for line in lines if not line.startswith("@@")]
    golden(path, "\n".join(lines) + "\n")


def test_the_proxy_protocol_is_for_tcp(tmp_path: Path) -> None:
    """nginx's `listen ... quic` takes no proxy_protocol: a client over HTTP/3 would have the balancer's address."""
    text = (GOLDEN / "https-http3.txt").read_text().partition(RULE)[0]
    assert "quic" in case(text, tmp_path).file("nginx.conf").content
    conf = (
        case(f'behind = ["10.0.0.0/8"]\nbehind_protocol = "proxy"\n{text}', tmp_path)
        .file("nginx.conf")
        .content
    )
    assert not {"quic", "Alt-Svc"} & set(conf.split())
    lines = [line.strip(" ;").split() for line in conf.splitlines() if line.strip().startswith("listen ")]
    assert lines
    assert all("proxy_protocol" in line for line in lines)


def test_the_same_site_and_place_give_the_same_bytes(tmp_path: Path) -> None:
    assert case("domains = ['a.example']", tmp_path) == case("domains = ['a.example']", tmp_path)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_every_generated_line_has_a_reason_and_a_source(path: Path, tmp_path: Path) -> None:
    try:
        made = case(path.read_text().partition(RULE)[0], tmp_path)
    except PorticoError:
        pytest.skip("a case of an error")
    for file in made.files:
        for line in file.lines:
            if line.text.strip() in ("", "}") or line.text.strip().startswith("</"):
                continue
            assert line.why, f"{file.path}: {line.text}"
            if file.path in ("nginx.conf", "httpd.conf") and not line.is_users:
                assert line.source.startswith("https://"), f"{file.path}: {line.text}"


def test_the_ladder_of_times_is_in_order(tmp_path: Path) -> None:
    for seconds in (1, 30, 90, 3600):
        ladder = case(f"request_timeout = '{seconds}s'", tmp_path).ladder
        rungs = [
            ladder.read_seconds, ladder.deadline_seconds, ladder.drain_seconds, ladder.stop_seconds,
            ladder.service_seconds,
        ]  # fmt: skip
        assert rungs == sorted(set(rungs))
        assert ladder.heartbeat_seconds > ladder.deadline_seconds
