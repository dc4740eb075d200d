"""What nginx keeps, for whom, and for how long, behind each nginx: a real app says the headers, real clients look."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support import Served, free_port, portico, private_directory, served
from tests.support.until import until

pytestmark = pytest.mark.of_nginx  # httpd keeps no answers

APP = """
import json, os, pathlib, time
from flask import Flask, Response, abort, request, send_file
import portico
from portico import edge

app = Flask(__name__)

def count(name):
    with open(name, "a") as file:
        file.write("x")

@app.route("/say/<path:name>", methods=["GET", "POST"])
def say(name):
    user = request.headers.get("Authorization") or request.headers.get("X-Token") or request.cookies.get("session")
    body = f"{user} {time.monotonic_ns()} {request.method} {request.headers.get('Range')}"
    response = Response(body + " " * int(request.args.get("size", 0)), status=int(request.args.get("status", 200)))
    for key, value in json.loads(request.args.get("headers", "[]")):
        response.headers.add(key, value)
    return response

@app.get("/proof/<name>")
def proof(name):
    body = f"{request.headers.get('Authorization')} {time.monotonic_ns()}"
    return Response(body, headers={"Cache-Control": "public, max-age=600"})

@app.get("/etag")
def etag():
    response = Response("x" * 100, headers={"Cache-Control": "public, max-age=1"})
    response.set_etag("one")
    return response.make_conditional(request, accept_ranges=True, complete_length=100)

@app.get("/doc")
def doc():
    if "X-Wrong" in request.headers:
        status = int(request.headers["X-Wrong"])
        return Response("wrong", status, headers={"Cache-Control": "public, max-age=600"})
    response = send_file("app.py", max_age=int(request.args.get("age", 600)))
    if origin := request.headers.get("Origin"):
        response.headers["Access-Control-Allow-Origin"] = origin
    if "vary" in request.args:
        response.headers["Vary"] = "Origin"
    return response

@app.get("/stream")
def stream():
    return Response((c for c in ["a", "b"]), headers={"Cache-Control": "public, max-age=60"})

@app.get("/moody")
def moody():
    if pathlib.Path("failing").exists():
        abort(500)
    return Response(str(time.monotonic_ns()), headers={"Cache-Control": f"public, {request.args['cc']}"})

@app.get("/slow")
@edge.cache("60s")
def slow():
    count("slow")
    time.sleep(1.5)
    return "slow"

@app.get("/kept/<name>")
@edge.cache("60s", vary=["Accept-Language", "cookie:theme"])
def kept(name):
    language, theme = request.headers.get("Accept-Language"), request.cookies.get("theme")
    response = Response(f"{language} {theme} {time.monotonic_ns()}")
    for key, value in json.loads(request.args.get("headers", "[]")):
        response.headers.add(key, value)
    return response

@app.get("/page/<name>")
def page(name):
    tags = f"pages-{name.partition('-')[0]} page-{name}"
    headers = {"Cache-Control": "public, max-age=600", "Surrogate-Key": tags, "Vary": "X-Kind"}
    return Response(str(time.monotonic_ns()), headers=headers)

@app.get("/raced")
def raced():
    value = pathlib.Path("value").read_text()
    count("raced")
    while pathlib.Path("hold").exists():
        time.sleep(0.05)
    return Response(value, headers={"Cache-Control": "public, max-age=600"})

@app.post("/purge")
def purge():
    return str(portico.purge(*request.form.getlist("what")))
"""
PUBLIC = ("Cache-Control", "public, max-age=600")


@pytest.fixture(scope="module", params=["embedded", "system"])
def run(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    toml = "workers = { count = 2, threads = 8 }\ncache = { item = '10KiB' }\n"
    with served({"app.py": APP, "portico.toml": toml}, "--nginx", request.param) as made:
        yield made


_numbers = iter(range(1 << 30))
_lock = threading.Lock()


def fresh() -> str:
    """A path that nobody asked for before."""
    with _lock:
        return f"/say/{next(_numbers)}"


def asking(path: str, *headers: tuple[str, str], **more: object) -> str:
    return f"{path}?{urlencode({'headers': json.dumps(headers), **more})}"


def is_kept(run: Served, url: str, **more: Any) -> bool:
    """Whether the second who asks is given what the first was."""
    return run.get(url, **more).text == run.get(url, **more).text


@pytest.mark.parametrize("token", ["0", "00", "false", "no", "Bearer x", "::", ":0:"])
def test_who_proves_who_they_are_is_answered_by_the_app(run: Served, token: str) -> None:
    """To nginx "0" is as good as nothing, where it asks whether a text is empty."""
    name = fresh().replace("say", "proof")
    assert run.get(name).text.startswith("None ")
    assert run.get(name, headers={"Authorization": token}).text.startswith(f"{token} ")
    name = fresh().replace("say", "proof")
    assert run.get(name, headers={"Authorization": token}).text.startswith(f"{token} ")
    assert run.get(name).text.startswith("None ")


@pytest.mark.parametrize("lines", ["Authorization:", "Authorization: ", "Authorization:\r\nAuthorization: "])
def test_an_empty_proof_is_none_to_nginx_and_to_the_app(run: Served, lines: str) -> None:
    name = fresh().replace("say", "proof")
    answer = run.raw(f"GET {name} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}\r\n\r\n".encode())
    body = answer.partition(b"\r\n\r\n")[2]
    # nginx since 1.23 refuses a second line of this header.
    assert body.startswith(b"None ") or b" 400 " in answer.partition(b"\r\n")[0], answer


def test_an_empty_cookie_is_another_one_to_the_app(run: Served) -> None:
    name = fresh().replace("say", "kept")
    assert run.get(name, headers={"Cookie": "theme="}).text.startswith("None  ")
    assert run.get(name).text.startswith("None None ")


def test_nobody_is_given_what_a_second_line_of_a_header_asked_for(run: Served) -> None:
    """nginx before 1.23 has the first of them in the key, and would pass on both."""
    url = f"/kept/twice-{next(_numbers)}"
    run.get(url, headers=[("Accept-Language", "en"), ("Accept-Language", "xx")])
    assert run.get(url, headers={"Accept-Language": "en"}).text.startswith("en None")


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ([PUBLIC], True),
        ([("Cache-Control", "s-maxage=600")], True),
        ([("Cache-Control", "max-age=600")], False),
        ([("Cache-Control", "public")], False),
        ([], False),
        ([("Expires", "Fri, 01 Jan 2038 01:01:01 GMT")], False),
        ([("Cache-Control", "public"), ("Expires", "Fri, 01 Jan 2038 01:01:01 GMT")], True),
        ([("Cache-Control", "public, max-age=600, private")], False),
        ([PUBLIC, ("Cache-Control", "no-store")], False),
        ([("Cache-Control", 'x="a, public", max-age=600')], False),
        ([("Cache-Control", "public, max-age=600, must-revalidate")], False),
        ([PUBLIC, ("CDN-Cache-Control", "no-store")], False),
        ([PUBLIC, ("Set-Cookie", "a=b")], False),
        ([PUBLIC, ("Cache-Control", 'x="a, public"')], False),
        ([PUBLIC, ("CDN-Cache-Control", "max-age=9"), ("CDN-Cache-Control", "no-store")], False),
        ([PUBLIC, ("Surrogate-Control", "max-age=9"), ("Surrogate-Control", "no-store")], False),
        ([("X-Accel-Expires", ""), ("X-Accel-Expires", "600"), PUBLIC, ("Cache-Control", "private")], False),
        ([PUBLIC, ("Age", "0"), ("Age", "5")], False),
        ([PUBLIC, ("Content-Encoding", "identity")], True),
        ([PUBLIC, ("Content-Encoding", "x")], False),
        ([PUBLIC, ("Content-Encoding", "x"), ("Vary", "X-A, accept-encoding")], True),
        ([PUBLIC, ("Access-Control-Allow-Origin", "*")], True),
        ([PUBLIC, ("Vary", "*")], False),
        ([PUBLIC, ("Vary", "Accept, *")], False),
        ([PUBLIC, ("Age", "5")], False),
        ([("X-Accel-Expires", "600")], False),
        ([("X-Accel-Expires", "600"), PUBLIC, ("Cache-Control", "private")], False),
    ],
)
def test_what_is_kept(run: Served, headers: list[tuple[str, str]], kept: bool) -> None:
    assert is_kept(run, asking(fresh(), *headers)) == kept


def test_who_gets_nothing_that_is_kept(run: Served) -> None:
    url = asking(fresh(), PUBLIC)
    first = run.get(url).text
    assert run.get(url).text == first
    assert run.get(url, headers={"Cookie": "session=b"}).text == first
    for headers in ({"Authorization": "Bearer b"}, {"Cache-Control": "no-store"}, {"Host": "other.example"}):
        assert run.get(url, headers=headers).text != first
    assert run.get(url).text == first
    assert run.client.post(run.url + url).text != first
    assert run.client.request("GET", run.url + url, content=b"x").text != first
    again = run.get(url, headers={"Cache-Control": "no-cache"}).text
    assert again != first
    assert run.get(url).text == again


def test_what_is_too_long_or_does_not_say_is_not_kept(run: Served) -> None:
    assert is_kept(run, asking(fresh(), PUBLIC, size=9_000))
    assert not is_kept(run, asking(fresh(), PUBLIC, size=11_000))
    assert run.get("/stream", headers={"Cache-Status": "?1"}).text == "ab"
    assert (
        run.get("/stream", headers={"Cache-Status": "?1"}).headers["Cache-Status"] == "Portico; fwd=uri-miss"
    )


def test_vary_in_one_line_and_in_two(run: Served) -> None:
    for lines in (
        [("Vary", "X-A, X-B")],
        [("Vary", "X-A"), ("Vary", "X-B")],
        [("Vary", "X-B"), ("Vary", "X-A")],
    ):
        url = asking(fresh(), PUBLIC, *lines)
        seen = {(a, b): run.get(url, headers={"X-A": a, "X-B": b}).text for a in "12" for b in "12"}
        assert len(set(seen.values())) == 4
        assert run.get(url, headers={"X-A": "1", "X-B": "2"}).text == seen["1", "2"]


def test_a_head_is_answered_by_what_is_kept_and_keeps_nothing(run: Served) -> None:
    url = asking(fresh(), PUBLIC)
    assert run.client.head(run.url + url).status_code == 200
    first = run.get(url).text
    assert " GET " in first
    assert (
        run.client.head(run.url + url, headers={"Cache-Status": "?1"}).headers["Cache-Status"]
        == "Portico; hit"
    )
    assert run.get(url).text == first


def test_parts_and_what_the_client_has_stay_the_apps_to_answer(run: Served) -> None:
    run.client.post(f"{run.url}/purge", data={"what": "/etag"})
    part = run.get("/etag", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.headers["Content-Range"]) == (206, "bytes 10-19/100")
    assert run.get("/etag", headers={"If-None-Match": '"one"'}).status_code == 304
    assert (run.get("/etag").status_code, len(run.get("/etag").content)) == (200, 100)
    assert run.get("/etag", headers={"If-None-Match": '"one"'}).status_code == 304
    asked = {"Cache-Status": "?1"}
    until(
        lambda: (
            run.get("/etag", headers=asked).headers["Cache-Status"] == "Portico; fwd=stale; fwd-status=304"
        )
    )
    assert len(run.get("/etag", headers=asked).content) == 100


_EVIL = [
    ("If-Match", '"x"'),
    ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("If-None-Match", "*"),
    ("If-Modified-Since", "Thu, 01 Jan 2099 00:00:00 GMT"),
    ("Range", "bytes=999999999-"),
    ("Range", "bytes=0-0"),
    ("Origin", "https://evil.example"),
    *(("X-Wrong", status) for status in ("400", "405", "406", "429", "500", "503")),
]


@pytest.mark.parametrize("header", _EVIL, ids=": ".join)
def test_one_request_poisons_a_public_page_for_nobody(run: Served, header: tuple[str, str]) -> None:
    url = f"/doc?{next(_numbers)}"
    expected = {int(header[1])} if header[0] == "X-Wrong" else {200, 206, 304, 412, 416}
    # nginx closes the connection after a 412 of its own though it says keep-alive: the next request may be reset.
    assert run.get(url, headers={header[0]: header[1], "Connection": "close"}).status_code in expected
    answer = run.get(url, headers={"Cache-Status": "?1"})
    assert (answer.status_code, answer.text) == (200, (run.directory / "app.py").read_text())
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Cache-Status"] == "Portico; fwd=uri-miss"
    assert run.get(url, headers={"Cache-Status": "?1"}).headers["Cache-Status"] == "Portico; hit"


def test_what_differs_by_origin_is_kept_apart_where_vary_says_so(run: Served) -> None:
    url = f"/doc?vary=1&{next(_numbers)}"
    for origin in ("https://a.example", "https://b.example", "https://a.example"):
        answer = run.get(url, headers={"Origin": origin, "Cache-Status": "?1"})
        assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Cache-Status"] == "Portico; hit"


def test_an_old_answer_is_better_than_none(run: Served) -> None:
    asked = {"Cache-Status": "?1"}
    urls = [f"/moody?cc=max-age=1&{next(_numbers)}", f"/moody?cc=max-age=1,must-revalidate&{next(_numbers)}"]
    firsts = [run.get(url).text for url in urls]
    flag = run.directory / "failing"
    flag.touch()
    try:
        until(lambda: run.get(urls[0], headers=asked).headers["Cache-Status"] == "Portico; hit; detail=stale")
        assert run.get(urls[0]).text == firsts[0]
        assert run.get(urls[1]).status_code == 500
    finally:
        flag.unlink()
    assert run.get(urls[0]).text != firsts[0]


def test_a_new_answer_is_fetched_behind_the_old_one(run: Served) -> None:
    url, asked = f"/moody?cc=max-age=1,stale-while-revalidate=600&{next(_numbers)}", {"Cache-Status": "?1"}
    first = run.get(url).text

    def is_old() -> bool:
        answer = run.get(url, headers=asked)
        return answer.headers["Cache-Status"] == "Portico; hit; detail=stale" and answer.text == first

    until(is_old)
    until(lambda: run.get(url).text != first)


def test_of_many_who_ask_at_once_one_is_answered_by_the_app(run: Served) -> None:
    request = b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: run.raw(request, seconds=60), range(200)))
    assert all(answer.endswith(b"\r\n\r\nslow") for answer in answers)
    assert (run.directory / "slow").read_text() == "x"


def test_a_route_is_kept_by_what_it_depends_on(run: Served) -> None:
    url = f"/kept/{next(_numbers)}"
    seen = {
        (language, theme): run.get(
            url, headers={"Accept-Language": language, "Cookie": f"a=b; theme={theme}"}
        )
        for language in ("de", "fr")
        for theme in ("dark", "light")
    }
    for (language, theme), answer in seen.items():
        assert answer.text.startswith(f"{language} {theme} ")
        headers = {"Accept-Language": language, "Cookie": f"theme={theme}; other=1"}
        again = run.get(url, headers=headers)
        assert again.text == answer.text
        assert again.headers["Cache-Control"] == "public, max-age=0, s-maxage=60"
        assert "Accept-Language, Cookie" in again.headers.get_list("Vary")
        assert again.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "cookies",
    ["THEME=dark", "THEME=dark; theme=evil", "theme=dark; theme=evil", "a=1,theme=dark; theme=evil"],
)
def test_a_cookie_that_nginx_and_the_app_read_differently_is_nobody_else_s(run: Served, cookies: str) -> None:
    """nginx takes the first that is called so, in capital or small letters, for the key."""
    url = f"/kept/{next(_numbers)}"
    run.get(url, headers={"Accept-Language": "de", "Cookie": cookies})
    answer = run.get(url, headers={"Accept-Language": "de", "Cookie": "theme=dark"})
    assert answer.text.startswith("de dark ")
    assert answer.headers["Cache-Control"] == "public, max-age=0, s-maxage=60"
    assert run.get(url, headers={"Accept-Language": "de", "Cookie": "theme=dark"}).text == answer.text


@pytest.mark.parametrize(
    "header", [("Set-Cookie", "a=b"), ("Cache-Control", "private"), ("Cache-Control", "no-store")]
)
def test_what_the_app_says_of_a_kept_route_goes_first(run: Served, header: tuple[str, str]) -> None:
    url = asking(f"/kept/{next(_numbers)}", header)
    assert not is_kept(run, url)
    said = run.get(url).headers.get_list("Cache-Control")
    assert said == [header[1]] * (header[0] == "Cache-Control")
    assert (
        run.get(f"/kept/{next(_numbers)}", headers={"Authorization": "x"}).headers.get("Cache-Control")
        is None
    )


def test_only_who_asks_is_told_and_nobody_sees_tags(run: Served) -> None:
    url = f"/page/{next(_numbers)}-1"
    plain = run.get(url)
    assert not {"Cache-Status", "Surrogate-Key", "X-Portico"} & set(plain.headers)
    assert run.get(url, headers={"Cache-Status": "?1"}).headers["Cache-Status"] == "Portico; hit"


def purge(run: Served, *what: str) -> str:
    done = portico("purge", "--json", *what, cwd=run.directory)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["purged"])


def by_the_app(run: Served, *what: str) -> str:
    return run.client.post(f"{run.url}/purge", data={"what": list(what)}).text


@pytest.mark.parametrize(
    ("what", "gone"),
    [
        (["/page/{n}-1"], {"1", "1?q=1"}),
        (["/page/{n}-1?"], {"1"}),
        (["/x/../page/{n}%2d%31?q=1"], {"1?q=1"}),
        (["/page/{n}-1*"], {"1", "1?q=1", "12"}),
        (["page-{n}-12", "page-{n}-2"], {"12", "2"}),
        (["pages-{n}"], {"1", "1?q=1", "12", "2"}),
        (["{url}/page/{n}-2", "http://unknown.example/*"], {"2"}),
        (["page-{n}"], set()),
    ],
)
@pytest.mark.parametrize("how", [purge, by_the_app], ids=["command", "app"])
def test_purge(run: Served, how: Callable[..., str], what: list[str], gone: set[str]) -> None:
    number, ends, kinds = next(_numbers), ["1", "1?q=1", "12", "2"], ("a", "b")

    def see() -> dict[tuple[str, str], str]:
        return {
            (end, kind): run.get(f"/page/{number}-{end}", headers={"X-Kind": kind}).text
            for end in ends
            for kind in kinds
        }

    before = see()
    assert see() == before
    assert how(run, *(word.format(url=run.url, n=number) for word in what)) == str(2 * len(gone))
    after = see()
    assert {end for (end, kind) in before if after[end, kind] != before[end, kind]} == gone


def test_everything_is_purged(run: Served) -> None:
    url = asking(fresh(), PUBLIC)
    first = run.get(url).text
    assert int(purge(run, "/*")) > 0
    time.sleep(1.2)  # until nothing that other tests ask for can look as if it had been under way
    assert run.get(url).text != first


def test_a_purge_says_what_it_cannot_mean(run: Served) -> None:
    done = portico("purge", "a b", cwd=run.directory)
    assert done.returncode == 1
    assert '"a b" names nothing that nginx could have cached' in done.stderr


def test_an_answer_under_way_while_its_url_is_purged_does_not_stay(run: Served) -> None:
    value, hold = run.directory / "value", run.directory / "hold"
    value.write_text("old")
    hold.touch()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(run.get, "/raced")
        until((run.directory / "raced").exists)
        value.write_text("new")
        by_the_app(run, "/raced")
        hold.unlink()
        assert asked.result().text == "old"
    until(lambda: run.get("/raced").text == "new")


ONE = """
from flask import Flask, Response
app = Flask(__name__)

@app.get("/page")
def page():
    return Response("one", headers={"Cache-Control": "public, max-age=600"})
"""


@pytest.mark.usefixtures("_needs_nginx")
def test_pages_kept_over_a_stop_and_a_start_of_other_code_are_said() -> None:
    said = "the gateway's cache has answers of an earlier run"
    with private_directory() as home:
        port = free_port()
        with served({"app.py": ONE}, directory=home, port=port) as run:
            assert run.get("/page").text == "one"
            until(lambda: "ready in" in run.stderr() + run.stdout())
            assert said not in run.stderr() + run.stdout()
        with served({"app.py": ONE.replace("one", "two")}, directory=home, port=port) as run:
            until(lambda: "ready in" in run.stderr() + run.stdout())
            assert said in run.stderr() + run.stdout()
            assert run.get("/page").text == "one"
            purge(run, "/*")
            assert run.get("/page").text == "two"


_directives = st.sampled_from(
    [
        "public", "Public", "private", "PRIVATE", "no-store", "no-cache", 'no-cache="Set-Cookie"', 'private="x"',
        "max-age=600", "s-maxage=600", "S-MaxAge=600", "max-age=0", "must-revalidate", "immutable", "republic",
        "x-s-maxage=600", 'x="a, public"', 'x="private"', "stale-while-revalidate=60", "", " public", "public;",
    ]
)  # fmt: skip
_controls = st.lists(st.lists(_directives, max_size=4).map(", ".join), max_size=3)
_varies = st.lists(
    st.sampled_from(["Cookie", "X-Token", "Accept", "*", "Accept, *", "Cookie, Accept", "x-token"]),
    max_size=3,
)
_others = st.lists(
    st.sampled_from(
        [
            ("Set-Cookie", "seen=1"), ("Expires", "Fri, 01 Jan 2038 01:01:01 GMT"), ("X-Accel-Expires", "600"),
            ("Age", "3"), ("Pragma", "no-cache"), ("CDN-Cache-Control", "no-store"), ("ETag", '"same"'),
            ("X-Accel-Expires", ""),
        ]
    ),
    max_size=3,
)  # fmt: skip
_carriers = {"cookie": "session=", "x-token": "", "authorization": "Bearer "}


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@example(["public, x-s-maxage=600", 'x="a, public"'], [], [], "cookie", 200)
@given(_controls, _varies, _others, st.sampled_from(sorted(_carriers)), st.sampled_from([200, 404, 302]))
def test_what_is_one_users_is_never_given_to_another(
    run: Served, controls: list[str], varies: list[str], others: list[Any], carrier: str, status: int
) -> None:
    headers = [("Cache-Control", line) for line in controls] + [("Vary", line) for line in varies] + others
    url = asking(fresh(), *headers, status=status)
    name = carrier.title()
    first = run.get(url, headers={name: _carriers[carrier] + "alice"}).text
    second = run.get(url, headers={name: _carriers[carrier] + "bob"}).text
    third = run.get(url).text
    assert "alice" in first
    if "alice" in second + third or "bob" in third:
        assert may_be_shared(controls, varies, others, carrier), "one user's page for another"


def may_be_shared(controls: list[str], varies: list[str], others: list[Any], carrier: str) -> bool:
    """Whether the app itself says that everybody may have this page, by RFC 9111 read with care."""
    said = ",".join(controls).lower()
    words = [word.strip(" ;").partition("=")[0] for word in said.split(",")]
    named = [word.strip().lower() for line in varies for word in line.split(",")]
    return (
        bool({"public", "s-maxage"} & set(words))
        and not {"private", "no-store", "no-cache"} & set(words)
        and '"' not in said
        and "Set-Cookie" not in [name for name, _ in others]
        and carrier not in named
        and "*" not in named
        and carrier != "authorization"
    )
