"""Hand-written configurations of Apache httpd, in the styles found in the wild: what each becomes, as a golden file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from portico.errors import PorticoError
from portico.explain.adopted import Adopted, AdoptedSite, Fate
from portico.explain.httpd.adopt.adopt import adopted
from portico.explain.httpd.blocks import inside
from portico.explain.httpd.read import read, read_partly
from portico.explain.node import Node

CORPUS = Path(__file__).parent / "httpd_corpus"
NAMES = sorted(path.stem for path in CORPUS.glob("*.conf"))
_UPDATE = os.environ.get("GOLDEN") == "update"


def lines(made: Adopted) -> list[str]:
    found = [line for site in made.sites for line in of_site(site)]
    return [*found, *(f"{one.fate}: {one.cause} {one.text}: {one.why}" for one in made.remarks)]


def of_site(site: AdoptedSite) -> list[str]:
    made = [f"site {site.name}  {site.cause}"]
    if site.refused:
        made.append(f"  refused: {site.refused}")
    if site.directory:
        made.append(f"  directory: {site.directory}")
    for option in site.options:
        made.append(f"  {'.'.join(option.key)} = {option.value!r}  {option.cause}")
        made += [f"      {option.differs}"] if option.differs else []
    for kept in site.kept:
        made += [f"  kept  {kept.cause}", *(f"      {line}" for line in kept.text.splitlines())]
    for fate in Fate:
        for one in site.remarks:
            if one.fate is fate:
                made += [f"  {fate}: {one.text}  {one.cause}", f"      {one.why}"]
                made += [f"      to do: {one.do}"] if one.do else []
    return made


def told(name: str) -> str:
    try:
        root, problems = read_partly(CORPUS / f"{name}.conf")
    except PorticoError as error:
        return f"{error}\n".replace(f"{CORPUS}/", "")
    text = "\n".join([*lines(adopted(root)), *map(str, problems)])
    return f"{text}\n".replace(f"{CORPUS}/", "")


def test_the_corpus_is_large() -> None:
    assert len(NAMES) >= 30


@pytest.mark.parametrize("name", NAMES)
def test_golden_of_the_corpus(name: str) -> None:
    golden = CORPUS / f"{name}.txt"
    found = told(name)
    if _UPDATE:
        golden.write_text(found)
    assert found == golden.read_text(), "GOLDEN=update writes it again"


def every(block: Node) -> list[Node]:
    return [one for node in inside(block) for one in (node, *every(node))]


_SILENT = {
    "ServerName", "ServerAlias", "Use", "Listen", "DocumentRoot", "RewriteEngine", "RewriteCond", "VirtualHost",
    "Location", "SSLEngine", "SSLCertificateKeyFile", "ProxySet", "BalancerMember", "WSGIProcessGroup", "AuthType",
    "AuthName", "AuthUserFile", "ProxyRequests", "Directory", "Files", "RequireAll", "RequireAny", "Require",
    "Options", "Proxy", "SetHandler", "UndefMacro", "SSLVerifyClient", "Order", "Deny", "WSGIApplicationGroup",
    "WSGICallableObject", "WSGISocketPrefix", "FallbackResource", "RemoteIPInternalProxy", "ServerTokens",
    "ServerSignature", "TraceEnable", "ProxyPassReverse", "Allow", "IncludeOptional",
}  # fmt: skip
"""Lines that another line of the same block speaks for, or that hold for the machine."""


@pytest.mark.parametrize("name", NAMES)
def test_no_line_is_passed_over(name: str) -> None:
    """Each line of a site is an option, kept, or has a remark."""
    try:
        root = read(CORPUS / f"{name}.conf")
    except PorticoError:
        return
    made = adopted(root)
    causes = {
        one.cause for site in made.sites for group in (site.options, site.kept, site.remarks) for one in group
    }
    causes |= {one.cause for one in made.remarks}
    if any(site.refused for site in made.sites):
        return
    passed = [node.place for node in every(root) if node.name not in _SILENT and node.place not in causes]
    assert passed == []


def test_a_rule_that_cannot_be_kept_opens_nothing() -> None:
    """A path is closed, or the site is refused."""
    (guarded,) = adopted(read(CORPUS / "guarded.conf")).sites
    assert guarded.value("access", "/reports", "deny") == ("0.0.0.0/0", "::/0")
    assert guarded.value("access", "/either", "deny") == ("0.0.0.0/0", "::/0")
    assert guarded.value("access", "/metrics", "allow") == ("10.0.0.0/8",)
    assert not guarded.kept
    for name in ("wildcard-names", "rule-for-clients"):
        (site,) = adopted(read(CORPUS / f"{name}.conf")).sites
        assert "who may come" in site.refused


def test_an_app_of_mod_wsgi_has_its_processes_and_its_place() -> None:
    (site,) = adopted(read(CORPUS / "django-wsgi.conf")).sites
    wanted = {
        ("app",): "shop.wsgi:application", ("workers", "count"): 3, ("workers", "threads"): 10, ("user",): "shop",
        ("static", "/static/"): "/srv/shop/static", ("request_timeout",): "60s",
    }  # fmt: skip
    assert {key: site.value(*key) for key in wanted} == wanted
    assert site.directory == "/srv/shop"
