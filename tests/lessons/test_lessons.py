"""Every right answer of a lesson is what the trace, the nginx or the answer in it shows."""

from __future__ import annotations

import pytest

from portico.learn.pages import title
from portico.lessons import down, location, missing, slash, steps
from portico.lessons.model import Question, lesson, question
from portico.lessons.of_trace import of_trace
from portico.lessons.stages import STAGES, decision, is_of_app, stages, step
from portico.protocol.trace import Bar, Row, Trace, Tracked

CLIENT, GATEWAY, LINK, WORKER, APP = "client", "gateway", "link", "worker", "app"
ADDRESS = "203.0.113.9"


def row(
    number: int, actor: str, action: str, message: str = "", note: str = "", took: int | None = None
) -> Row:
    return Row(number, actor, action, message, actor, actor, None, took, note=note)


BEFORE = (
    row(1, CLIENT, "connects to 127.0.0.1:80 (TCP)"),
    row(2, CLIENT, "sends GET /", "request"),
    row(3, GATEWAY, "chooses server shop.example"),
    row(4, GATEWAY, "chooses location /"),
)
AFTER = (
    row(9, GATEWAY, "answers 200 OK", "response"),
    row(10, CLIENT, "has 9 bytes of body"),
    row(11, GATEWAY, "writes its line: 0.002 s"),
)
WHOLE = Trace(
    method="GET", url="http://shop.example/", id="1", status=200, error="", gateway="nginx",
    rows=(
        *BEFORE,
        row(5, GATEWAY, "passes the request to unix:/app.sock", "request"),
        row(6, LINK, "worker 7, thread 1 takes the connection", "request", took=40),
        row(7, WORKER, "calls the app: GET /", "request"),
        row(8, WORKER, "sends head and body to nginx", "response"),
        *AFTER,
    ),
    waterfall=(Bar("TCP", CLIENT, 0, 10), Bar("app", APP, 10, 900), Bar("(the trace itself)", LINK, 900, 5000)),
    request=(Tracked("client address", "198.51.100.1", "198.51.100.1", "198.51.100.1"),
             Tracked("X-Forwarded-For", ADDRESS, "198.51.100.1", "198.51.100.1")),
)  # fmt: skip


def other(action: str, status: int = 200, *more: Row) -> Trace:
    rows = (
        *BEFORE,
        *more,
        row(5, GATEWAY, action),
        row(6, GATEWAY, f"answers {status} ", "response"),
        AFTER[-1],
    )
    return Trace(method="GET", url="", id="2", status=status, error="", rows=rows, gateway="nginx")


FILE = other("sends the file below /srv/static/")
CACHED = other("answers from its cache", 200, row(5, GATEWAY, "asks its cache: HIT"))
FAILED = other("cannot connect to unix:/app.sock", 502)
REFUSED = other("refuses the body: client_max_body_size 1m", 413)


def asked(questions: tuple[Question, ...], words: str) -> Question:
    (found,) = (one for one in questions if words in one.text)
    return found


def test_a_question_has_the_right_choice_and_others_once() -> None:
    made = question("which?", "a", ["b", "a", "b", "c", "d", "e"], "look", ["seen"])
    assert made is not None
    assert sorted(made.choices) == ["a", "b", "c", "d"]
    assert made.answer == made.choices[made.right] == "a"


@pytest.mark.parametrize(("seen", "others"), [("a", []), ("a", ["a"]), ("", ["a", "b"])])
def test_what_has_no_wrong_answer_is_not_asked(seen: str, others: list[str]) -> None:
    assert question("which?", seen, others, "", []) is None
    assert lesson("", "", [question("which?", seen, others, "", [])]).questions == ()


def test_the_next_step_is_that_of_the_trace() -> None:
    made = steps.steps(WHOLE, "/", None, ADDRESS).questions
    assert asked(made, "the client sends GET /").answer == "nginx chooses server shop.example"
    passed = asked(made, "nginx passes the request")
    assert passed.answer == "worker 7, thread 1 takes the connection"
    assert passed.evidence == ("Step 6: worker 7, thread 1 takes the connection. It took 40 µs.",)
    assert asked(made, "worker sends head").answer == "nginx answers 200 OK"
    for one in made[:-1]:
        assert set(one.choices) <= {step(row, WHOLE) for row in WHOLE.rows}


def test_the_slowest_part_is_not_the_trace_itself() -> None:
    slowest = asked(steps.steps(WHOLE, "/", None, ADDRESS).questions, "took longest")
    assert slowest.choices[slowest.right] == "app"
    assert slowest.evidence == ("app took 890 µs of 5,000 µs, and TCP 10 µs.",)


def test_two_equal_parts_are_not_asked_for() -> None:
    from msgspec.structs import replace

    equal = replace(WHOLE, waterfall=(Bar("a", CLIENT, 0, 10), Bar("b", CLIENT, 10, 20)))
    assert all("longest" not in one.text for one in steps.steps(equal, "/", None, ADDRESS).questions)


def test_the_client_of_a_forged_header_is_whom_the_app_saw() -> None:
    one = asked(steps.steps(WHOLE, "/", WHOLE, ADDRESS).questions, "X-Forwarded-For")
    assert one.answer == "198.51.100.1"
    assert ADDRESS in one.choices
    assert one.see == f"portico trace / -H 'X-Forwarded-For: {ADDRESS}'"


@pytest.mark.parametrize(
    ("trace", "did", "by_app"),
    [
        (WHOLE, "", True),
        (FILE, "sends the file below /srv/static/", False),
        (CACHED, "answers from its cache", False),
        (REFUSED, "refuses the body: client_max_body_size 1m", False),
        (FAILED, "", False),
    ],
)
def test_who_answered(trace: Trace, did: str, by_app: bool) -> None:
    assert (decision(trace), is_of_app(trace)) == (did, by_app)


def test_a_missing_step_is_one_that_the_other_request_has_not() -> None:
    others = [missing.Shorter("a file", FILE, "portico trace /a.css"), missing.Shorter("large", REFUSED, "")]
    first, second = missing.missing(WHOLE, "/", others).questions
    there = {stage.said("nginx") for stage in stages(FILE)}
    everything = {stage.said("nginx") for stage in STAGES}
    assert first.answer == "the worker calls the app"
    assert second.answer == "a worker takes the connection"
    assert {*first.choices} - {first.answer} <= there <= everything
    assert first.evidence[0] == "The client got 200 after 7 steps; GET / has 11."
    assert first.see == "portico trace /a.css"


def test_a_request_that_misses_nothing_is_not_asked_for() -> None:
    assert missing.missing(WHOLE, "/", [missing.Shorter("the same", WHOLE, "")]).questions == ()


def test_what_a_client_got_is_named_by_status_and_by_who_answered() -> None:
    outcomes = [
        down.Outcome("/", "once", WHOLE, 300, "Shop"), down.Outcome("/", "often", FAILED, 12, "It is down"),
        down.Outcome("/a.css", "often", FILE, 1), down.Outcome("/news", "often", CACHED, 1),
    ]  # fmt: skip
    made = down.down(outcomes, "Shop").questions
    assert [one.answer for one in made] == [
        "200, the answer of the app", "502, a page of nginx", "200, the file, from nginx",
        "200, the answer that nginx had stored", '"It is down"',
    ]  # fmt: skip
    assert '"Shop"' in made[-1].choices
    assert made[0].evidence[0] == "It got 200, the answer of the app, after 300 ms."


def _without_worker(status: int, **fields: object) -> Trace:
    passed = row(5, GATEWAY, "passes the request to uwsgi://app0", "request")
    rows = (*BEFORE, passed, row(6, GATEWAY, f"answers {status}", "response"))
    return Trace(method="GET", url="", id="3", status=status, error="", rows=rows, gateway="apache", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("trace", "by_app"),
    [
        (_without_worker(200), True),
        (_without_worker(404), True),
        (_without_worker(500), False),  # httpd says so of a worker that died
        (_without_worker(500, line={"upstream_status": "500"}), True),
        (_without_worker(500, line={"upstream_status": "502, 500"}), True),
        (_without_worker(502, line={"upstream_status": "502"}), False),
    ],
)
def test_an_error_is_the_apps_if_its_worker_or_the_gateways_line_says_so(trace: Trace, by_app: bool) -> None:
    assert is_of_app(trace) is by_app


def test_a_worker_that_died_with_the_request_did_not_answer() -> None:
    from msgspec.structs import replace

    died = row(8, WORKER, "dies without an answer")
    trace = replace(WHOLE, status=502, rows=(*BEFORE, *WHOLE.rows[4:7], died, *AFTER))
    outcome = down.Outcome("/", "often", trace, 9, "It is down")
    assert outcome.words == "502, a page of nginx"
    one, _ = down.down([outcome], "Shop").questions
    assert one.evidence[-1].startswith("nginx wanted the app's answer, got none")
    assert one.hint.startswith("After several crashes")


def test_a_file_of_the_gateway_is_one_however_the_gateway_names_it() -> None:
    trace = other("answers by itself: RewriteRule ^/static/(.*)$ /srv/static/$1 [L]")
    assert down.Outcome("/a.css", "often", trace, 1, is_file=True).words == "200, the file, from nginx"
    assert down.Outcome("/a", "often", trace, 1).words == "200, a page of nginx"


def test_of_a_server_that_writes_no_steps_down_the_lesson_says_so() -> None:
    from msgspec.structs import replace

    silent = replace(
        _without_worker(200), waterfall=(Bar("apache", GATEWAY, 0, 90), Bar("TCP", CLIENT, 0, 9))
    )
    made = steps.steps(silent, "/", silent, ADDRESS)
    assert "writes no steps down" in made.words
    assert asked(made.questions, "longest").answer == "apache, with the app behind it"
    assert "writes no steps down" not in steps.steps(WHOLE, "/", None, ADDRESS).words


def test_a_silent_end_is_an_outcome() -> None:
    silent = Trace(method="GET", url="", id="", status=0, error="the connection was closed", gateway="nginx")
    assert down.Outcome("/", "", silent, 1).words == "no answer: the connection was closed"


def test_the_location_is_that_which_answered() -> None:
    found = location.Located("/a b", "location /", "/ is the longest", ("location /", "location /x"))
    (one,) = location.location([found], 2).questions
    assert (one.answer, sorted(one.choices)) == ("location /", ["location /", "location /x"])
    assert one.see == "portico explain --why 'GET /a b'"
    assert one.evidence[-1] == "/ is the longest."


def test_the_slash_is_asked_by_what_each_variant_got() -> None:
    passes = [slash.Tried(one, got) for one, got in zip(slash.PASSES, "abcd", strict=True)]
    files = [slash.Tried(one, got) for one, got in zip(slash.FILES, "xyz", strict=True)]
    made = slash.slash(passes, files).questions
    assert [one.answer for one in made] == [*"abcdxyz"]
    assert made[0].text.startswith("location /shop/ { proxy_pass http://app; } gets GET /shop/cart.")


def test_any_trace_is_asked_what_it_has_not() -> None:
    one = asked(of_trace(FILE).questions, "did the request not take")
    assert one.answer == "the worker calls the app"
    assert one.hint == "nginx sends the file below /srv/static/."
    assert len(of_trace(WHOLE).questions) == 5
    assert of_trace(WHOLE).questions[0].see == "portico trace /"


def test_what_a_trace_cannot_know_is_no_step_that_the_request_did_not_take() -> None:
    """uWSGI is not traced, and a line of the log may be missing."""
    from msgspec.structs import replace

    passed = row(5, GATEWAY, "passes the request to unix:/app.sock", "request")
    cached = replace(WHOLE, rows=(*BEFORE, row(5, GATEWAY, "asks its cache: MISS"), passed, *AFTER[:-1]))
    assert all("did the request not take" not in one.text for one in of_trace(cached).questions)
    one = asked(of_trace(replace(cached, rows=(*BEFORE, passed))).questions, "did the request not take")
    assert one.answer == "nginx asks its cache"


def test_of_two_parts_of_one_name_the_longer_one_counts() -> None:
    from msgspec.structs import replace

    bars = (Bar("app", APP, 0, 500), Bar("nginx", GATEWAY, 500, 600), Bar("app", APP, 600, 610))
    one = asked(of_trace(replace(WHOLE, waterfall=bars)).questions, "took longest")
    assert one.answer == "app"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("x <TITLE>\n a  b</title><title>c</title>", "a b"),
        ("<title>no end", "<title>no end"),
        ("no title", "no title"),
        ("</title><title>c</title>", "c"),
        ("<title>" * 100_000, "<title>" * 8 + "<tit..."),
    ],
)
def test_the_title_of_a_page_that_an_app_made(body: str, words: str) -> None:
    """The last one would be tried for an hour by a pattern of both ends."""
    assert title(body) == words
