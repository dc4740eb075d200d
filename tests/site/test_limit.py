"""Limits in words, and whose methods they count."""

from __future__ import annotations

import pytest

from portico import edge
from portico.link.app.facts.notes import combined
from portico.site.facts import AppFacts, Route
from portico.site.limit import Limit, of_methods, strange_methods
from portico.site.options import Options
from portico.site.routed import routed
from portico.values import bandwidth


@pytest.mark.parametrize(
    "text",
    [
        "10/second",
        "5/minute burst 0",
        "100/hour per session",
        "5/minute burst 3 of POST,PUT per header:X-API-Key",
        "2 in progress of POST per account",
    ],
)
def test_a_limit_is_printed_as_it_is_read(text: str) -> None:
    assert str(Limit.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "5", "5/", "/minute", "-1/minute", "5/minute burst", "5/minute per", "5/minute per header:", "2 in",
        "\u0665/minute", "5/minute per header:X_Key", "5/minute of POST;", "3 in progress burst 4", "5/minute\n;",
        "99999999999999/second",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Limit.parse(text)


@pytest.mark.parametrize("text", ["1MiB", "0B/second", "1MiB/minute", "fast/second", "1B/second"])
def test_a_bandwidth_is_a_size_each_second(text: str) -> None:
    assert bandwidth("1MiB/second") == 1 << 20
    with pytest.raises(ValueError, match="expected"):
        bandwidth(text)


def test_decorators_add_up_in_any_order() -> None:
    @edge.limit("5/minute", methods=["POST"])
    @edge.timeout("5s")
    @edge.limit("100/hour", in_progress=2, per="session")
    def view() -> None: ...

    assert getattr(view, edge.NOTES) == {
        "timeout": "5s",
        "limit": ["100/hour per session", "2 in progress per session", "5/minute of POST"],
    }


def route(rule: str, pattern: str, rank: int, methods: list[str], *limits: str) -> Route:
    noted = {"edge": {"limit": list(limits)}, "where": f"shop.py:{rank}"} if limits else {}
    return Route(rule, methods, f"view{rank}", pattern=pattern, rank=rank, **noted)  # type: ignore[arg-type]


def limits(*routes: Route) -> dict[str, list[str]]:
    found = routed(Options(), AppFacts("shop:app", "/srv", "flask", routes=list(routes)), {})
    return {item.rule: item.edge.limit for item in found}


def test_views_of_one_path_count_their_own_methods_only() -> None:
    get, post = ["GET"], ["POST"]
    assert limits(route("/a", "/a", 0, post, "5/minute")) == {"/a": ["5/minute"]}
    assert limits(route("/a", "/a", 0, get), route("/a", "/a", 1, post, "5/minute")) == {
        "/a": ["5/minute of POST"]
    }
    both = route("/a", "/a", 0, get, "9/minute"), route("/a", "/a", 1, post, "5/minute", "7/minute of PUT")
    assert limits(*both) == {"/a": ["9/minute of GET", "5/minute of POST", "7/minute of PUT"]}


def test_rules_that_share_paths_add_their_limits_up_there() -> None:
    shared = limits(
        route("/a/<int:n>", "/a/\\d+", 0, ["POST"], "5/minute"),
        route("/a/<x>", "/a/[^/]+", 1, ["GET"], "9/minute"),
    )
    assert shared["/a/<int:n> and /a/<x>"] == ["5/minute of POST", "9/minute of GET"]
    assert (shared["/a/<int:n>"], shared["/a/<x>"]) == (["5/minute"], ["9/minute"])


def test_the_methods_of_a_class_count_for_themselves() -> None:
    class View:
        @edge.limit("5/minute")
        def post(self) -> None: ...

        def get(self) -> None: ...

    def view() -> None: ...

    view.view_class = View  # type: ignore[attr-defined]
    assert [one["edge"] for one in combined([view])] == [{"limit": ["5/minute of POST"]}]


def test_what_cannot_be_read_is_left_for_the_error() -> None:
    assert of_methods(["off", "fast"], ["POST"]) == ["off", "fast"]


def test_a_method_that_nobody_has_heard_of_is_no_method_to_count() -> None:
    (what, hint), (other, _) = strange_methods(
        ["5/minute of PSOT", "5/minute of POST,BREW", "off", "5/minute of M-SEARCH x"]
    )
    assert what == '"5/minute of PSOT": PSOT is not an HTTP method'
    assert hint.startswith("did you mean POST? expected GET, ")
    assert other == '"5/minute of POST,BREW": BREW is not an HTTP method'
    assert not list(strange_methods(["5/minute of PROPFIND,VERSION-CONTROL", "5/minute"]))
