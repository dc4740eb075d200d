"""portico check reports what is open although it looks protected; `explain --why` shows access."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from portico.check.access import access_findings
from portico.plan.web.access import admits
from portico.reading import OURS
from portico.site.access.rule import AccessRule
from portico.site.access.rules import access_rules
from portico.site.access.sha512_crypt import hashed
from portico.site.facts import AppFacts, Route
from portico.site.load import load
from portico.site.model import Site
from portico.site.own.model import OwnText
from portico.site.own.nginx.syntax import own


def site(directory: Path, text: str, *paths: str) -> Site:
    (directory / "staff.users").write_text(f"anna:{hashed('a')}\n")
    toml = directory / "portico.toml"
    toml.write_text(text)
    options, causes = load(toml, {})
    routes = [Route(path, ["GET"], path, pattern=path, rank=rank) for rank, path in enumerate(paths)]
    facts = AppFacts(app="shop:app", directory="/srv/shop", kind="flask", routes=routes)
    rules = access_rules(options, (), facts, directory, causes, OURS, [])
    server = tuple(one for entry in options.nginx.server for one in own(entry))
    return Site(options, facts, "/srv/shop", "shop", causes, access=rules, own=OwnText(server=server))


def said(found: Site) -> list[tuple[str, str]]:
    return [(one.level, one.what) for one in access_findings(found)]


def test_an_admin_page_that_is_open_is_only_noted(tmp_path: Path) -> None:
    ((level, what),) = said(site(tmp_path, "", "/", "/admin/users", "/administrators", "/shop"))
    assert (level, what.startswith("the gateway lets any client request /admin;")) == ("ok", True)
    assert said(site(tmp_path, '[access."/admin"]\nallow = ["10.0.0.0/8"]', "/admin/users")) == []


def test_a_sibling_that_is_open_is_named(tmp_path: Path) -> None:
    text = '[access."/shop/orders"]\nauth = "/check"\n'
    ((level, what),) = said(site(tmp_path, text, "/shop/orders", "/shop/list"))
    assert (level, what) == (
        "warning",
        "below /shop access to some routes is restricted, but /shop/list is open",
    )
    meant = f'{text}[access."/shop/list"]\nanybody = true\n'
    assert said(site(tmp_path, meant, "/shop/orders", "/shop/list")) == []


def test_a_route_with_placeholders_and_a_rule_of_its_own_is_not_open(tmp_path: Path) -> None:
    rule = AccessRule(
        "/internal/<int:n>", r"/internal/\d+", "/internal/", r"/internal/\d+", (-2, 1, 0), internal=True
    )
    routes = [Route("/internal/<int:n>", ["GET"], "task", pattern=r"/internal/\d+")]
    found = site(tmp_path, "")
    found = replace(found, facts=replace(found.facts, routes=routes))
    assert said(found) == [("ok", said(found)[0][1])]
    assert said(replace(found, access=(rule,))) == []


def test_passwords_over_plain_http_and_own_locations(tmp_path: Path) -> None:
    text = '[access."/staff"]\nusers = "staff.users"\n[nginx]\nserver = ["location /x { return 204; }"]\n'
    found = said(site(tmp_path, text, "/staff"))
    assert ("warning", "passwords come over plain HTTP, with every request") in found
    assert ("warning", "[access] does not hold in locations of your own: /x") in found


def test_access_control_by_path(tmp_path: Path) -> None:
    text = (
        '[access."/"]\ndeny = ["192.0.2.0/24"]\n[access."/admin"]\nallow = ["10.0.0.0/8"]\nusers = "staff.users"\n'
        '[access."/admin/health"]\nanybody = true\n'
    )
    found = site(tmp_path, text)
    assert [answer.key for answer in admits(found, "/x")] == ["deny"]
    assert [answer.key for answer in admits(found, "//Admin/x")] == ["deny", "allow", "users"]
    assert admits(found, "/admin/health") == []
    (_, allow, users) = admits(found, "/admin")
    assert (allow.what, allow.cause) == (
        "only networks 10.0.0.0/8 (else 403)",
        "portico.toml:4: access./admin.allow",
    )
    assert users.what == "users with a password: 1 (else 401)"
