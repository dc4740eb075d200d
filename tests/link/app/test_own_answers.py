"""Which functions of an app may answer a path that no rule has, by what stands in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from portico.link.app.facts.own_answers import gives_back, makes_passing, never_answers, passes_on, refuses

app: Any = None


def quiet() -> None:
    if app:
        return
    app.seen = True


def redirects() -> Any:
    if app.path == "/old":
        return app.redirect("/new")
    return None


def aborts() -> None:
    app.abort(401)


def signed(response: Any) -> Any:
    response.headers["X"] = "1"
    return response


def replaced(response: Any) -> Any:
    response = app.make(response)
    return response  # noqa: RET504  what is read is exactly this


def restated(response: Any) -> Any:
    response.status_code = 200
    return response


def page(_: Any) -> Any:
    return app.render("404.html"), 404


def made(error: Any) -> Any:
    answer = app.Response(status=error.code)
    answer.data = b"no"
    return answer


def single_page(_: Any) -> Any:
    return app.send_static_file("index.html")


def late(_: Any) -> Any:
    return app.render("404.html"), 200


async def timed(request: Any, call_next: Any) -> Any:
    response = await call_next(request)
    response.headers["X"] = "1"
    return response


async def locked(request: Any, call_next: Any) -> Any:
    if not request.user:
        return app.Response(401)
    return await call_next(request)


def wrapping(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        return get_response(request)

    return middleware


def moving(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        request.path_info = "/other"
        return get_response(request)

    return middleware


@pytest.mark.parametrize(
    ("asked", "function", "is_harmless"),
    [
        (never_answers, quiet, True), (never_answers, redirects, False), (never_answers, aborts, False),
        (never_answers, lambda: None, False), (gives_back, signed, True), (gives_back, replaced, False),
        (gives_back, restated, False), (refuses, page, True), (refuses, made, True), (refuses, single_page, False),
        (refuses, late, False), (passes_on, timed, True), (passes_on, locked, False), (makes_passing, wrapping, True),
        (makes_passing, moving, False), (passes_on, print, False),
    ],
)  # fmt: skip
def test_a_function_is_harmless_only_where_its_source_says_so(
    asked: Callable[[Any], bool], function: Any, is_harmless: bool
) -> None:
    assert asked(function) is is_harmless
