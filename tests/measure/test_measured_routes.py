"""Which routes are asked."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from portico.errors import UsageError
from portico.log.request import Request
from portico.measure.routes import mix_of_log, named, of_app, of_log
from portico.site.facts import AppFacts, StaticFolder, Unrouted
from portico.site.facts import Route as Rule
from portico.site.facts import Rule as Known


def _facts(*rules: Rule, kind: str = "flask") -> AppFacts:
    static = [StaticFolder("/static/", "/srv/static", "the app's static folder")]
    return AppFacts("app:app", "/srv", kind=kind, routes=list(rules), static=static)  # type: ignore[arg-type]


def test_routes_of_the_app_are_those_of_a_plain_get_without_arguments() -> None:
    facts = _facts(
        Rule("/items/all", ["GET"]),
        Rule("/", ["GET", "HEAD"]),
        Rule("/items/<int:id>", ["GET"]),
        Rule("/buy", ["POST"]),
        Rule("/static/<path:filename>", ["GET"]),
        Rule("/socket", ["GET"], websocket=True),
        Rule("/{page}", ["GET"]),
    )
    assert [one.path for one in of_app(facts)] == ["/", "/items/all"]
    assert [one.path for one in of_app(facts, "/shop/")] == ["/shop/", "/shop/items/all"]


@pytest.mark.parametrize("rule", ["/logout", "/auth/log-out", "/sign_out", "/items/delete", "/unsubscribe"])
def test_a_route_whose_name_says_that_it_changes_something_is_not_asked(rule: str) -> None:
    assert of_app(_facts(Rule(rule, ["GET"]))) == []


def test_routes_of_fastapi_are_found_and_its_own_pages_are_not_asked() -> None:
    rules = [
        Known("/items", methods=["GET"]),
        Known("/docs", methods=["GET"]),
        Known("/items/{id}"),
        Known("/new"),
    ]
    facts = replace(_facts(kind="asgi"), unrouted=Unrouted(rules))
    assert [one.path for one in of_app(facts)] == ["/new", "/items"]


def test_an_app_without_known_routes_is_asked_for_its_start_page() -> None:
    assert [one.path for one in of_app(_facts(kind="wsgi"))] == ["/"]


def _line(uri: str, status: int = 200, method: str = "GET", upstream: str = "unix:/run/app.sock") -> Request:
    return Request(uri=uri, status=status, method=method, upstream=upstream)


def test_the_log_gives_the_most_frequent_paths_with_their_shares() -> None:
    asked = [_line("/a?x=1")] * 5 + [_line("/b")] * 3 + [_line("/c")] + [_line("/d")] + [_line("/a?x=2")]
    others = [
        _line("/gone", 404), _line("/", method="POST"), _line("/style.css", upstream=""), _line("/logout"),
    ]  # fmt: skip
    found = of_log([*asked, *others * 9])
    assert [(one.path, round(one.share, 2)) for one in found] == [("/a?x=2", 0.55), ("/b", 0.27)]


def test_the_mix_of_the_log_has_the_shares_of_its_paths_and_some_for_those_asked_once() -> None:
    asked = [_line("/")] * 500 + [_line("/about", method="HEAD")] * 100
    asked += [_line(f"/items/{number:03d}") for number in range(400)]
    others = [_line("/gone", 404), _line("/", method="POST"), _line("/style.css", upstream="")]
    (found,) = mix_of_log([*asked, *others * 99])
    assert (found.title, found.origin) == ("the log's mix", "40 of 1,000 requests of the log, evenly spaced")
    assert sum(part.times for part in found.mix) == 40
    assert [(part.path, part.times) for part in found.mix[:2]] == [("/", 20), ("/about", 4)]
    items = [part for part in found.mix if part.path.startswith("/items/")]
    assert [part.times for part in items] == [1] * 16
    assert {part.path[:8] for part in items} == {f"/items/{digit}" for digit in range(4)}
    assert found.sequence.count("/") == 20
    assert abs(found.sequence[:20].count("/") - 10) <= 1, "it is spread"


def test_a_log_with_one_path_or_none_has_no_mix() -> None:
    assert mix_of_log([_line("/")] * 99) == []
    assert mix_of_log([]) == []


@pytest.mark.parametrize("uri", ["/ä", "/a b", "/\x7f", "*", "http://example.com/"])
def test_a_target_that_no_load_can_send_is_left_out(uri: str) -> None:
    assert of_log([_line(uri)]) == mix_of_log([_line(uri), _line("/")]) == []


def test_a_word_that_is_no_path_is_an_error() -> None:
    assert [one.path for one in named(["/items?page=2"])] == ["/items?page=2"]
    for wrong in ("items", "/a b", "http://example.com/"):
        with pytest.raises(UsageError, match="is not a path"):
            named([wrong])
