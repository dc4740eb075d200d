"""Several sites in, one nginx out: names of their own, sockets shared, conflicts told."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from portico.errors import UsageError
from portico.place.gateway.nginx import find_nginx
from portico.place.model import Build, Place
from portico.place.probe import probe
from portico.plan.bindings import Bindings, BindingTable, Listen
from portico.plan.build import plan
from portico.plan.gateway.nginx.entry.tls import SESSIONS, hsts_file
from portico.plan.gateway.nginx.fragment import SHARED as SHARED_NOTE
from portico.plan.gateway.nginx.fragment import fragment
from portico.plan.gateway.nginx.http import maps
from portico.plan.gateway.nginx.http import shared as shared_by_sites
from portico.plan.gateway.nginx.limits.keys import SHARED
from portico.plan.gateway.nginx.names import PREFIX
from portico.plan.gateway.nginx.routing.elsewhere import REST
from portico.plan.gateway.nginx.syntax import Directive
from portico.plan.host import Fragment, fitting, fragment_of, host_plan
from portico.plan.model import Plan
from portico.plan.paths import mirror_socket, routed_socket
from portico.plan.web.model import Web
from portico.plan.web.space import namespace
from portico.run.disk.write import write_files
from portico.site.checks.values import broken_rules
from portico.site.load import load
from portico.site.model import Site
from portico.site.options import Options
from portico.site.resolve import resolve
from tests.plan.test_accepted import without_hash
from tests.plan.test_golden import FACTS, GOLDEN, PLACE, case
from tests.support import golden

GATEWAY = replace(PLACE, runtime="/run/gateway", state="/var/gateway")
EVERYTHING = """
name = "All-in"
domains = ["all.example", "*.all.example"]
listen = ":8001"
behind = ["10.0.0.0/8"]
max_upload = "64MiB"
[limits]
rate = "5/second"
in_progress = 20
[upstream]
servers = ["app", "uwsgi://backend.internal:8001"]
sticky = "portico_app"
"""


OWN = """
[nginx]
http = [
  "server_names_hash_max_size 8192;", "client_body_timeout 50s;", "gzip off;", "auth_basic x;",
  "auth_basic_user_file /etc/passwd;",
]
server = [
  "client_max_body_size 5m; uwsgi_read_timeout 7s;", "error_page 404 /mine;", "keepalive_timeout 8s;", "gzip on;",
  "add_header X-Mine yes;", "limit_conn_status 430;", "uwsgi_param SERVER_NAME mine;", "allow all;",
"""
"""Directives of the user's that Portico has, too: at the same level or, on a gateway, moved to it."""


def planned(text: str, tmp: Path, place: Place = PLACE, **changed: object) -> Plan:
    """The plan of a portico.toml, as one site of a gateway."""
    site, place = sited(text, tmp, place)
    return plan(replace(site, **changed), place)


def sited(text: str, tmp: Path, place: Place = PLACE) -> tuple[Site, Place]:
    toml = tmp / "portico.toml"
    toml.write_text(text)
    options, causes = load(toml, {})
    site = resolve(options, FACTS, Path("/srv"), causes)
    return replace(site, name=options.name or "site"), replace(
        place,
        runtime=f"{place.runtime.rpartition('/')[0]}/{options.name}",
        state=f"{place.state.rpartition('/')[0]}/{options.name}",
        host_runtime=GATEWAY.runtime,
        resolvers=("10.0.0.53",),
    )


def parts(tmp: Path, *texts: str) -> list[Fragment]:
    return [fragment_of(planned(text, tmp)) for text in texts]


def site(name: str, *domains: str, listen: str = "127.0.0.1:8000", more: str = "") -> str:
    listed = ", ".join(f'"{domain}"' for domain in domains)
    return f'name = "{name}"\nlisten = "{listen}"\ndomains = [{listed}]\n{more}'


def test_golden(tmp_path: Path) -> None:
    """Two sites with domains on one address, and one for every Host on another."""
    some = parts(tmp_path, site("shop", "shop.example"), EVERYTHING, site("any", listen="[::1]:9000"))
    made = host_plan(some, GATEWAY)
    (nginx,) = (file for file in made.files if file.path == "nginx.conf")
    text = nginx.content[nginx.content.index("    variables_hash_max_size") :]
    for file in made.files:
        if file.path.startswith("sites/"):
            kept = [line for line in file.content.splitlines() if "_param" not in line]
            text += f"\n# {file.path}\n" + "\n".join(kept) + "\n"
    golden(Path(__file__).parents[1] / "golden" / "gateway" / "three-sites.txt", text)


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in GOLDEN.glob("*.txt") if not path.stem.startswith("apache"))
)
def test_every_name_is_the_sites_own_or_one_that_sites_share(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a feature adds must not meet what another site has; see docs/decisions, 15."""
    monkeypatch.setattr("tests.plan.test_golden.PLACE", replace(PLACE, host_runtime=GATEWAY.runtime))
    seen = list[list[Directive]]()

    def listen(web: Web) -> list[Directive]:
        seen.append(fragment(web))
        return seen[0]

    monkeypatch.setattr("portico.plan.gateway.nginx.fragment.fragment", listen)
    try:
        case((GOLDEN / f"{name}.txt").read_text().partition("-" * 80)[0], tmp_path)
    except UsageError:  # this case cannot be, or not beside other sites
        return
    (tree,), space = seen, f"{PREFIX}shop__"
    own = set(defined(tree)) | {f"{space}hsts"}
    shared = set(defined([*maps(), *shared_by_sites(PLACE)])) | {SESSIONS, REST}
    assert {word for word in own if not word.startswith(space)} <= SHARED | {SESSIONS}
    # A variable follows the name of a location that each rule has: `@portico_upgraded$portico_route`.
    begun = {word.rpartition("_r")[0] for word in own}
    assert {word for word in used(tree) if word not in own | begun} <= shared | SHARED


def defined(tree: Iterable[Directive]) -> Iterator[str]:
    """The names that these directives define, without the signs before them."""
    for item in tree:
        if item.name in _NAMED:
            yield from (word.lstrip("$") for word in item.args[_NAMED[item.name] :][:1])
        elif item.name == "location" and item.args[0][0] == "@":
            yield item.args[0][1:]
        elif item.name.endswith(("_zone", "_path", "_cache")):
            yield from re.findall(r"(?:zone=|keys_zone=|shared:)(\w+)", " ".join(item.args))
        if item.name not in _TABLES:
            yield from defined(item.block or ())


def used(tree: Iterable[Directive]) -> Iterator[str]:
    """The names of Portico's in these directives, those that they define among them."""
    for item in tree:
        if item.name != "sticky":  # the cookie's name is the user's
            yield from re.findall(rf"(?<![\w/])[$@]?({PREFIX}\w+)", " ".join((item.name, *item.args)))
        yield from used(item.block or ())


_NAMED = {
    "map": -1,
    "split_clients": -1,
    "geo": -1,
    "upstream": 0,
    "log_format": 0,
    "zone": 0,
    "set": 0,
    "auth_request_set": 0,
}
_TABLES = ("map", "geo", "types", "split_clients")


@pytest.mark.parametrize(
    ("one", "other"), [("a-b", "a_b"), ("Shop", "shop"), ("a.b", "a-b"), ("a__b", "a--b"), ("a__b", "a")]
)
def test_no_two_sites_have_one_namespace(one: str, other: str) -> None:
    assert namespace(one) != namespace(other)
    assert re.fullmatch(r"[a-z0-9_]+", namespace(one))


def told(*texts: str, tmp: Path) -> list[str]:
    return [str(problem) for _, problem in fitting(parts(tmp, *texts))[1]]


def test_one_domain_for_two_sites_is_one_clear_error(tmp_path: Path) -> None:
    a, b = site("a", "x.example", "y.example"), site("b", "y.example")
    one, other = (planned(text, tmp_path, origin=f"{name}.toml") for text, name in ((a, "a"), (b, "b")))
    fit, ((left, problem),) = fitting([fragment_of(one), fragment_of(other)])
    assert [part.bindings.name for part in fit] == ["a"]
    assert left.bindings.name == "b"
    assert str(problem).splitlines() == [
        'b.toml: answers "y.example" on 127.0.0.1:8000, and so does a.toml',
        "  a domain belongs to one site: take it out of one of the two; to share it by paths, one of them has a",
        '  [[route]] to the other, and that one has routed_by instead of domains, such as ["a"]',
    ]


def test_sites_with_the_same_domain_on_other_addresses_do_not_meet(tmp_path: Path) -> None:
    assert told(site("a", "x.example"), site("b", "x.example", listen="127.0.0.1:8001"), tmp=tmp_path) == []


def test_two_sites_for_every_host_of_one_address_conflict(tmp_path: Path) -> None:
    (problem,) = told(site("a"), site("b"), tmp=tmp_path)
    assert "answers every Host on 127.0.0.1:8000" in problem


def test_two_sites_that_disagree_on_the_proxy_protocol_conflict(tmp_path: Path) -> None:
    balanced = 'behind = ["10.0.0.0/8"]\nbehind_protocol = "proxy"\n'
    one, other = site("a", "a.example", more=balanced), site("b", "b.example")
    for pair, words in (((one, other), "no PROXY protocol"), ((other, one), "the PROXY protocol")):
        (problem,) = told(*pair, tmp=tmp_path)
        assert f"speaks {words} on 127.0.0.1:8000" in problem
        assert "behind_protocol" in problem
    some = parts(
        tmp_path, one, site("c", "c.example", more=balanced), site("d", "d.example", listen="127.0.0.1:1")
    )
    assert fitting(some)[1] == []
    made = host_plan(some, GATEWAY)
    assert list(map(str, made.proxied)) == ["127.0.0.1:8000"]
    assert "listen 127.0.0.1:8000 proxy_protocol default_server" in made.file("nginx.conf").content


def test_one_site_for_every_other_host_is_fine(tmp_path: Path) -> None:
    some = parts(tmp_path, site("a", "x.example"), site("rest"))
    assert fitting(some)[1] == []
    conf = host_plan(some, GATEWAY).file("nginx.conf").content
    assert "default_server" not in conf, "the site without domains is the default"


def test_a_wildcard_and_an_address_of_it_cannot_both_be_bound(tmp_path: Path) -> None:
    (problem,) = told(site("a", "a.example", listen=":8000"), site("b", "b.example"), tmp=tmp_path)
    assert "one is part of the other" in problem


def test_two_sites_of_one_name_are_refused() -> None:
    bindings = BindingTable()
    assert bindings.add(Bindings("a", "one/", (Listen("127.0.0.1:1"),), ("x",))) is None
    problem = bindings.add(Bindings("a", "two/", (Listen("127.0.0.1:2"),), ("y",)))
    assert problem
    assert 'is called "a", and so is one/' in problem.what


def test_sites_that_copy_to_each_other_are_refused() -> None:
    bindings = BindingTable()
    assert bindings.add(Bindings("a", "one/", (), ("x",), mirrors=("b",), routed_by=("b",))) is None
    problem = bindings.add(Bindings("b", "two/", (), ("y",), mirrors=("a",), routed_by=("a",)))
    assert problem
    assert "in a circle: b, a, b" in problem.what
    of_rule = Bindings("b", "two/", (), ("y",), routes=(("/x", "a"),), routed_by=("a",))
    assert bindings.add(of_rule), "a copy would come back through a rule"


def test_no_name_of_a_site_is_chosen_so_that_it_has_what_another_site_has() -> None:
    """Who owns a site chooses its name, and can try many."""
    place = replace(PLACE, host_runtime=GATEWAY.runtime)
    assert len({routed_socket(place, f"mine-{number}", "api") for number in range(200_000)}) == 200_000
    assert namespace(namespace("Shop")) != namespace("Shop")


def test_the_socket_of_copies_is_no_socket_between_sites() -> None:
    """A site named `mirror` once took the copies of another site's requests."""
    place = replace(PLACE, host_runtime=GATEWAY.runtime)
    assert mirror_socket(place, "shop") not in {
        routed_socket(place, "shop", "mirror"),
        routed_socket(place, "mirror", "shop"),
    }
    name = Path(mirror_socket(place, "shop")).name
    assert not any(one.what for one in broken_rules(Options(name="mirror")))
    assert broken_rules(Options(name=name[:20])), "no site has a name that begins so"


def test_bindings_are_what_the_servers_say(tmp_path: Path) -> None:
    (part,) = parts(tmp_path, EVERYTHING)
    assert [one.address for one in part.bindings.listen] == ["0.0.0.0:8001", "[::]:8001"]
    assert part.bindings.domains == ("all.example", "*.all.example")


def test_a_placeholder_asks_nobody(tmp_path: Path) -> None:
    site, place = sited(EVERYTHING, tmp_path)
    text = dict(fragment_of(plan(site, place, is_waiting=True)).texts)["site.conf"]
    assert "_pass " not in text
    assert "return 502;" in text


def test_a_cookie_keeps_the_name_that_the_user_gave_it(tmp_path: Path) -> None:
    (part,) = parts(tmp_path, EVERYTHING)
    assert "sticky cookie portico_app path=/" in dict(part.texts)["site.conf"]


@pytest.mark.parametrize("nginx", ["embedded", "system"])
def test_nginx_accepts_sites_that_have_everything(nginx: str, tmp_path: Path) -> None:
    place = replace(
        probe("nginx", "embedded", tmp_path, "gateway"), gateway=find_nginx(nginx), gateway_user="", gateway_group="",
        runtime=str(tmp_path / "g"), state=str(tmp_path / "g"),
    )  # fmt: skip
    old = EVERYTHING.replace('sticky = "portico_app"', "").replace("backend.internal", "127.0.0.1")
    everything = EVERYTHING if nginx == "embedded" else old
    page = tmp_path / "dist"
    page.mkdir()
    (page / "index.html").touch()
    merging = '"add_header_inherit merge;"' if nginx == "embedded" else ""
    texts = [
        site("shop", "shop.example"), everything, site("any", listen="127.0.0.1:9000"),
        site("mine", "mine.example", more=OWN + merging + "]\n"), f'spa = "{page}"\n{site("page", "page.example")}',
    ]  # fmt: skip
    some = [
        fragment_of(planned(text, tmp_path, replace(place, runtime=f"{tmp_path}/x", state=f"{tmp_path}/x")))
        for text in texts
    ]
    made = host_plan(some, place)
    for name in ("g/conf", "g/bodies", "shop", "All-in", "any", "mine", "page"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    write_files(made.files, tmp_path / "g/conf")
    done = subprocess.run(
        [*made.gateway.at(str(tmp_path / "g/conf")), "-t"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in without_hash(done.stderr).replace('[warn] the "user"', "")


def test_settings_of_one_site_are_in_its_own_server(tmp_path: Path) -> None:
    (part,) = parts(tmp_path, EVERYTHING)
    top = [
        line
        for line in dict(part.texts)["site.conf"].splitlines()
        if line and not line.startswith((" ", "}"))
    ]
    heads = {line.split()[0] for line in top}
    assert heads == {
        "map",
        "geo",
        "log_format",
        "limit_req_zone",
        "limit_conn_zone",
        "upstream",
        "server",
        "uwsgi_cache_path",
    }


def test_an_old_build_says_what_it_can(tmp_path: Path) -> None:
    old = replace(PLACE, gateway=Build("nginx", "/usr/sbin/nginx", (1, 22, 1), PLACE.gateway.modules))
    made = fragment_of(planned(site("shop", "shop.example"), tmp_path, old))
    assert (
        "keepalive_min_timeout"
        not in host_plan([made], replace(GATEWAY, gateway=old.gateway)).file("nginx.conf").content
    )


def test_lines_that_hold_for_every_site_are_said(tmp_path: Path) -> None:
    assert (
        SHARED_NOTE.what in planned('[nginx]\nhttp = ["server_names_hash_max_size 4096;"]\n', tmp_path).notes
    )
    assert SHARED_NOTE.what not in planned('[nginx]\nhttp = ["gzip_vary off;"]\n', tmp_path).notes
    assert SHARED_NOTE.what not in planned("", tmp_path).notes


def test_own_directives_take_the_place_of_portico_s_and_hold_for_their_site_alone(tmp_path: Path) -> None:
    (mine,) = parts(tmp_path, site("mine", "mine.example", more=OWN + "]\n"))
    made = host_plan([mine, *parts(tmp_path, site("shop", "shop.example"))], GATEWAY)
    files = {file.path: file.content for file in made.files}
    conf = files["sites/mine/site.conf"]
    server = conf[conf.index("server {") :]
    for once in (
        "client_max_body_size 5m; ", "uwsgi_read_timeout 7s;", "error_page 404 /mine;", "keepalive_timeout 8s;",
        "gzip on;", "limit_conn_status 430;", "uwsgi_param SERVER_NAME mine;", "client_body_timeout 50s;",
        "auth_basic x;",
    ):  # fmt: skip
        words = " ".join(once.strip(" ;").split()[:-1])
        at_server = [line.strip() for line in server.splitlines() if line.startswith(f"    {words} ")]
        assert at_server == [once.strip()], at_server
    assert "auth_basic off;" in server
    assert "client_body_timeout 50s" not in files["nginx.conf"] + files["sites/shop/site.conf"]
    assert "server_names_hash_max_size" not in files["nginx.conf"], "once, and it is the user's"
    (line,) = (one for file in made.files for one in file.lines if one.text == "    limit_conn_status 430;")
    assert line.is_users
    assert line.cause.startswith("portico.toml:")


def test_what_two_sites_set_for_all_is_a_conflict(tmp_path: Path) -> None:
    texts = [
        site(name, f"{name}.example", more='[nginx]\nhttp = ["map_hash_max_size 4096;"]\n')
        for name in ("a", "b")
    ]
    (_, (refused,)) = fitting(parts(tmp_path, *texts))
    assert "sets map_hash_max_size for every site, and so does" in refused[1].what


TLS = '[https]\nmode = "local"\nlisten = "127.0.0.1:8443"\n'


def test_golden_of_sites_with_https(tmp_path: Path) -> None:
    """Certificate and HSTS of each lie beside its part; who begins the handshakes shows no certificate."""
    some = parts(tmp_path, site("shop", "shop.example", more=TLS), site("Blog", "blog.example", more=TLS))
    made = host_plan(some, GATEWAY)
    (nginx,) = (file for file in made.files if file.path == "nginx.conf")
    text = nginx.content[nginx.content.index("    access_log /var/gateway") :]
    for file in made.files:
        if file.path.startswith("sites/"):
            kept = [line for line in file.content.splitlines() if _TLS_LINE.search(line)]
            text += f"\n# {file.path}\n" + "\n".join(kept) + "\n"
    golden(Path(__file__).parents[1] / "golden" / "gateway" / "https.txt", text)


_TLS_LINE = re.compile(r"^ *(?:server \{|listen|server_name|ssl_|http2|return 308|include|add_header Strict)")


def test_what_changes_by_itself_has_the_site_s_names_too(tmp_path: Path) -> None:
    made = planned(site("Blog", "blog.example", more=f'behind = ["10.0.0.0/8"]\n{TLS}'), tmp_path)
    assert made.tls
    space = namespace("Blog")
    assert (
        f'map "$portico_{space}__scheme $host" $portico_{space}__hsts {{' in hsts_file(made.tls, 300).content
    )
    assert f"$portico_{space}__hsts" in fragment_of(made).texts[0][1]


def test_an_address_is_of_plain_http_or_of_https(tmp_path: Path) -> None:
    plain, secure = parts(
        tmp_path,
        site("plain", "plain.example", listen="127.0.0.1:8443"),
        site("shop", "shop.example", more=TLS),
    )
    for first, second in ((plain, secure), (secure, plain)):
        fit, ((left, problem),) = fitting([first, second])
        assert (fit, left) == ([first], second)
        assert "127.0.0.1:8443" in problem.what
        assert "plain HTTP" in problem.what


def test_a_protocol_is_agreed_on_before_the_name_is_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="before it knows which of several sites is meant"):
        planned(site("shop", "shop.example", more=f'{TLS}profile = "modern"\n'), tmp_path)
