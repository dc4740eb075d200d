"""Several sites in, one httpd out: virtual hosts of their own, what httpd knows once, the order of names."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from portico.errors import UsageError
from portico.place.gateway.httpd import found
from portico.place.model import Build, Place
from portico.place.probe import probe
from portico.plan.bindings import Bindings, BindingTable, Listen, in_order
from portico.plan.gateway.httpd.fragment import fragment
from portico.plan.gateway.httpd.main import modules
from portico.plan.gateway.httpd.modules import ALWAYS, ORDER
from portico.plan.gateway.httpd.syntax import Directive
from portico.plan.host import fitting, fragment_of, host_plan
from portico.plan.web.model import Web
from portico.run.disk.write import write_files
from portico.run.gateway.httpd.objections import objections
from tests.plan.test_gateway import GATEWAY, planned, site
from tests.plan.test_golden import GOLDEN, PLACE, case

APACHE = 'gateway = "apache"\n'
BALANCED = 'behind = ["10.0.0.0/8"]\nbehind_protocol = "proxy"\n'


@pytest.fixture(scope="module")
def build() -> Build:
    return found("auto").first


@pytest.fixture
def place(build: Build) -> Place:
    return replace(PLACE, gateway=build)


def conf(place: Place, tmp: Path, *texts: str) -> str:
    """httpd.conf of these sites."""
    some = [fragment_of(planned(APACHE + text, tmp, place)) for text in texts]
    assert fitting(some)[1] == []
    return host_plan(some, replace(GATEWAY, gateway=place.gateway)).file("httpd.conf").content


def told(place: Place, tmp: Path, *texts: str) -> list[str]:
    some = [fragment_of(planned(APACHE + text, tmp, place)) for text in texts]
    return [str(problem) for _, problem in fitting(some)[1]]


def test_the_first_virtual_host_of_an_address_refuses_every_other_host(place: Place, tmp_path: Path) -> None:
    text = conf(
        place,
        tmp_path,
        site("shop", "shop.example"),
        site("blog", "blog.example"),
        site("any", listen="[::1]:9"),
    )
    assert text.count("<VirtualHost") == 1, "on the other address a site takes every Host"
    assert (
        text.index("<VirtualHost 127.0.0.1:8000>")
        < text.index("RewriteRule ^ - [R=421,L]")
        < text.index("Include")
    )
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("Include")] == [
        f"sites/{name}/site.conf" for name in ("any", "shop", "blog")
    ]
    assert text.count("Listen ") == 2


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*apache*.txt")))
def test_nothing_of_a_site_holds_for_another(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But what the user wrote for the server configuration, and a note says so."""
    monkeypatch.setattr("tests.plan.test_golden.PLACE", replace(PLACE, host_runtime=GATEWAY.runtime))
    seen = list[tuple[Web, list[Directive]]]()

    def listen(web: Web) -> list[Directive]:
        seen.append((web, fragment(web)))
        return seen[0][1]

    monkeypatch.setattr("portico.plan.gateway.httpd.fragment.fragment", listen)
    try:
        case((GOLDEN / f"{name}.txt").read_text().partition("-" * 80)[0], tmp_path)
    except UsageError:  # this case cannot be, or not beside other sites
        return
    ((web, tree),) = seen
    assert {one.name for one in tree if one.verbatim is None} == {"VirtualHost"}
    for host in tree:
        names = [one.name for one in host.block or ()]
        assert host.verbatim is not None or {"ErrorLog", "LogLevel", "CustomLog", "LogFormat"} <= set(names)
    assert set(modules(web)) <= {*ORDER}
    assert tuple(ORDER[: len(ALWAYS)]) == ALWAYS


def test_httpd_accepts_sites_that_have_everything(build: Build, tmp_path: Path) -> None:
    place = replace(
        probe("apache", "auto", tmp_path, "gateway"), gateway_user="", gateway_group="",
        runtime=str(tmp_path / "g"), state=str(tmp_path / "g"),
    )  # fmt: skip
    page = tmp_path / "dist"
    page.mkdir()
    (page / "index.html").touch()
    full = 'max_upload = "9MiB"\nbehind = ["10.0.0.0/8"]\n'
    own = "[apache]\nmain = ['LimitRequestFields 50']\nserver = ['Redirect 307 /old /new']\n"
    texts = [
        site("shop", "shop.example", "*.shop.example", more=full),
        site("any", listen="127.0.0.1:9000"),
        site("mine", "mine.example", more=own),
        f'spa = "{page}"\n{site("page", "page.example")}',
        site("rules", "rules.example", more='[[route]]\npath = "/api/"\nto = "http://127.0.0.1:8009"\n'),
        site("proved", "proved.example", more='[[route]]\npath = "/api/"\nto = "https://127.0.0.1:8010"\n'),
        site("guarded", "guarded.example", more="[guard]\nwaf = 'block'\n"),
        site("watched", "watched.example", more="[guard]\nwaf = 'block'\n"),
        site("first", "a.example", listen="127.0.0.1:9001", more=BALANCED),
        site("second", "b.example", listen="127.0.0.1:9001", more=BALANCED),
    ]
    there = replace(place, runtime=f"{tmp_path}/x", state=f"{tmp_path}/x")
    some = [fragment_of(planned(APACHE + text, tmp_path, there)) for text in texts]
    assert fitting(some)[1] == []
    made = host_plan(some, place)
    for name in ("g/conf", *(one.bindings.name for one in some)):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    write_files(made.files, tmp_path / "g/conf")
    done = subprocess.run(
        [*made.gateway.at(str(tmp_path / "g/conf")), "-t"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (0, "Syntax OK")


def test_what_httpd_knows_once_is_the_same_in_all_sites(place: Place, tmp_path: Path) -> None:
    one, other = site("a", "a.example", more=BALANCED), site("b", "b.example", more=BALANCED)
    text = conf(place, tmp_path, one, other)
    assert text.count("RemoteIPProxyProtocolExceptions") == 1
    assert "    RemoteIPProxyProtocol On" in text, (
        "the first virtual host of the address reads the first line"
    )
    (problem,) = told(place, tmp_path, one, other.replace("10.0.0.0", "11.0.0.0"))
    assert "needs another RemoteIPProxyProtocolExceptions than" in problem
    assert "let behind and the host of listen be the same" in problem
    assert (
        told(
            place,
            tmp_path,
            one,
            site("c", "c.example", listen="127.0.0.1:1", more='behind = ["11.0.0.0/8"]\n'),
        )
        == []
    )


def test_lines_of_the_server_configuration_are_noted_and_two_sites_do_not_set_the_same(
    place: Place, tmp_path: Path
) -> None:
    main = "[apache]\nmain = ['LimitRequestFields 50', 'Define X 1']\n"
    one = planned(APACHE + site("a", "a.example", more=main), tmp_path, place)
    assert any("[apache] main" in note and "every site" in note for note in one.notes)
    (problem,) = told(place, tmp_path, site("a", "a.example", more=main), site("b", "b.example", more=main))
    assert "sets LimitRequestFields for every site" in problem


def test_a_profile_of_tls_that_httpd_cannot_know_in_time_is_refused(place: Place, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="before it knows which of several sites"):
        planned(
            APACHE + site("a", "a.example", more='[https]\nmode = "local"\nprofile = "modern"\n'),
            tmp_path,
            place,
        )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            '[https]\nmode = "local"\nclient_ca = "/etc/ssl/certs/ca-certificates.crt"\n',
            "would end it for all of them",
        ),
        (
            '[upstream]\nca = "/etc/ssl/certs/ca-certificates.crt"\n[[route]]\npath = "/b/"\nto = "https://127.0.0.1:9"\n',
            "would end it for all of them",
        ),
        ("[apache]\nserver = ['SSLCipherSuite nonsense']\n", "SSLCipherSuite beside other sites"),
        (
            "[apache]\nserver = ['<Location /a>\\n  sslcarevocationfile /x\\n</Location>']\n".replace(
                "'", '"'
            ),
            "sslca",
        ),
        ("[apache]\nserver = ['CustomLog \"|/bin/nothing\" common']\n", "| beside other sites"),
        ("[apache]\nmain = ['RewriteMap a prg:/bin/nothing']\n", "prg: beside other sites"),
    ],
)
def test_what_would_end_httpd_for_every_site_is_refused(
    more: str, said: str, place: Place, tmp_path: Path
) -> None:
    """`httpd -t` says nothing of it."""
    text = APACHE + site("a", "a.example", more=more)
    with pytest.raises(UsageError, match=re.escape(said)):
        planned(text, tmp_path, place)


def test_a_certificate_that_openssl_does_not_take_is_refused_before_httpd_reads_it(
    build: Build, tmp_path: Path
) -> None:
    """A key that is too short, and a signature by SHA-1: httpd -t takes both, and httpd ends."""
    place = replace(
        probe("apache", "auto", tmp_path, "gateway"), gateway_user="", gateway_group="",
        runtime=str(tmp_path), state=str(tmp_path),
    )  # fmt: skip
    made = host_plan((), replace(place, gateway=build))
    for name, words, is_taken in (
        ("good", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], True),
        ("short", ["rsa:1024"], False),
        ("curve", ["ec", "-pkeyopt", "ec_paramgen_curve:prime192v1"], False),
    ):
        conf = tmp_path / name
        (conf / "sites/shop").mkdir(parents=True)
        write_files(made.files, conf)
        path = conf / "sites/shop/certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-days", "9", "-subj", "/CN=shop.example", "-newkey", *words,
             "-keyout", f"{path}.key", "-out", path],
            check=True, capture_output=True,
        )  # fmt: skip
        path.write_text(path.read_text() + Path(f"{path}.key").read_text())
        found = objections(made, conf)
        assert [str(path) in problem.where for problem in found] == ([] if is_taken else [True]), name


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_file_of_authorities_that_openssl_does_not_take_is_refused_before_httpd_reads_it(
    text: str | None, build: Build, tmp_path: Path
) -> None:
    place = replace(
        probe("apache", "auto", tmp_path, "gateway"), gateway_user="", gateway_group="",
        runtime=str(tmp_path), state=str(tmp_path),
    )  # fmt: skip
    made = host_plan((), replace(place, gateway=build))
    conf, path = tmp_path / "conf", tmp_path / "an authority.pem"
    (conf / "sites/shop").mkdir(parents=True)
    write_files(made.files, conf)
    if text is not None:
        path.write_text(text)
    (conf / "sites/shop/site.conf").write_text(f'    SSLProxyCACertificateFile "{path}"\n')
    assert [problem.where for problem in objections(made, conf)] == [str(path)]


def of(name: str, *domains: str) -> Bindings:
    return Bindings(name, f"{name}.toml", (Listen("127.0.0.1:1"),), domains, is_ordered=True)


def test_a_wildcard_comes_behind_every_name_below_it() -> None:
    some = [
        of("every", "*.example"), of("deep", "*.shop.example", "other.test"), of("rest"), of("exact", "a.shop.example"),
        of("far", "*.test"),
    ]  # fmt: skip
    names = [one.name for one in in_order(some)]
    assert names[:2] == ["rest", "exact"]
    assert names.index("deep") < names.index("every")
    assert names.index("deep") < names.index("far")


def test_wildcards_that_take_each_others_names_are_refused() -> None:
    """Else a site would take what belongs to another, by its place in the list."""
    table = BindingTable()
    assert table.add(of("a", "*.example", "q.y.test")) is None
    assert table.add(of("b", "*.shop.example")) is None
    problem = table.add(of("e", "evil.shop.example", "*.y.test"))
    assert problem
    assert "has a wildcard for names of other sites" in problem.what
    assert table.add(replace(of("e", "evil.shop.example", "*.y.test"), is_ordered=False)) is None, (
        "nginx needs no order"
    )


def test_a_site_whose_first_name_is_a_wildcard_answers_to_it(place: Place, tmp_path: Path) -> None:
    """httpd compares ServerName letter by letter."""
    text = dict(fragment_of(planned(APACHE + site("a", "*.a.example"), tmp_path, place)).texts)["site.conf"]
    assert "ServerAlias *.a.example" in text
    assert "ServerName *" not in text


def test_a_site_beside_others_holds_half_of_the_threads_at_most(place: Place, tmp_path: Path) -> None:
    text = conf(place, tmp_path, site("shop", "shop.example"))
    assert "ThreadsPerChild 128" in text
    shared = dict(fragment_of(planned(APACHE + site("shop", "shop.example"), tmp_path, place)).texts)
    bounds = [
        int(found) for found in re.findall(r"BalancerMember .* max=(\d+) acquire=1", shared["site.conf"])
    ]
    assert len(bounds) == shared["site.conf"].count("BalancerMember")
    assert 0 < min(bounds) <= sum(bounds) <= 64
