"""What is kept of requests and errors is bounded, and an error finds its request in whatever order they come."""

from __future__ import annotations

import json

import msgspec
import pytest

from portico.log.request import Request
from portico.watch.rings import MOST_ERRORS, MOST_REQUESTS, TRACED, Errors, Requests

TRACEBACK = (
    'Traceback (most recent call last):\n  File "/srv/app.py", line 1, in view\n    ...\nValueError: x'
)


def request(name: str, status: int = 500, uri: str = "/x", worker: str = "") -> Request:
    return Request(id=name, status=status, uri=uri, time=f"t{name}", worker=worker)


def line(status: int = 200, **fields: str) -> bytes:
    return json.dumps({"status": status, **fields}).encode()


def words(name: str, text: str) -> bytes:
    return json.dumps({"time": "t", "id": name, "pid": 1, "stream": "stderr", "text": text}).encode()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_error_and_its_request_are_one(order: tuple[int, int]) -> None:
    errors = Errors()
    steps = [lambda: errors.add_requests([request("a")]), lambda: errors.add_words([words("a", TRACEBACK)])]
    for index in order:
        steps[index]()
    (found,) = errors.changed()
    assert (found.request or {})["uri"] == "/x"
    assert "ValueError" in found.text
    assert errors.changed() == []


def test_a_failure_has_the_words_that_came_before_it() -> None:
    errors = Errors()
    errors.add_words([words("a", "looking at x"), words("b", "of somebody else")])
    assert errors.changed() == []
    errors.add_requests([request("a")])
    (found,) = errors.changed()
    assert found.text == "looking at x\n"


def test_equal_errors_are_one_with_a_count() -> None:
    errors = Errors()
    for number in range(40):  # the words come before the line, as a rule, and sometimes in another second
        errors.add_words([words(f"a{number}", TRACEBACK.replace("x", str(number)))])
        if number % 3 == 0:
            errors.changed()
        errors.add_requests([request(f"a{number}", uri=f"/item/{number}?q=1", worker="1 2 3 4 item")])
    errors.add_words([words("b", TRACEBACK.replace("line 1", "line 2"))])
    errors.add_requests([request("b", uri="/item/1", worker="1 2 3 4 item")])
    errors.add_requests([request("c", 502), request("d", 502, uri="/x?other"), request("e", 502, uri="/y")])
    counts = [(one.count, one.id, one.first[-2:]) for one in errors.kept.values()]
    assert [count for count, _, _ in counts] == [40, 1, 2, 1]
    assert counts[2] == (2, "d", "tc")
    item = next(iter(errors.kept.values()))
    assert (item.id, (item.request or {})["uri"]) == ("a39", "/item/39?q=1")
    assert "ValueError: 39" in item.text


def test_an_error_that_turns_out_to_be_another_is_taken_back() -> None:
    errors = Errors()
    errors.add_requests([request("a"), request("b")])
    (bare,) = errors.changed()
    assert bare.count == 2
    errors.add_words([words("b", TRACEBACK)])
    told = {one.key: one for one in errors.changed()}
    assert (told[bare.key].count, len(told)) == (1, 2)
    errors.add_words([words("a", TRACEBACK)])
    counts = {one.key: one.count for one in errors.changed()}
    assert counts.pop(bare.key) == 0
    assert list(counts.values()) == [2]
    assert len(errors.kept) == 1


def test_who_began_to_listen_between_the_words_and_the_line_is_told_that_they_are_one() -> None:
    errors = Errors()
    errors.add_words([words("a", TRACEBACK)])
    (bare,) = errors.all()
    errors.add_requests([request("a")])
    counts = {one.key: one.count for one in errors.changed()}
    assert counts.pop(bare.key) == 0
    assert list(counts.values()) == [1]


def test_traced_requests_stay_longer() -> None:
    requests = Requests()
    for number in range(100):
        requests.add([line(uri=str(number), agent=TRACED)])
        requests.add([line(id=str(number)) for _ in range(10)])
    traced = [one["uri"] for one in requests.kept if one["agent"] == TRACED]
    assert traced == [str(number) for number in range(50, 100)]
    assert [one["n"] for one in requests.kept] == sorted(int(one["n"] or 0) for one in requests.kept)
    assert len(requests.kept) == MOST_REQUESTS + len(traced)


def test_nothing_grows_without_end() -> None:
    errors, requests = Errors(), Requests()
    for number in range(500):
        errors.add_words([words(str(number), TRACEBACK * 400), words("", TRACEBACK), b"{", b"[]", b'"x"'])
        errors.add_requests([request(str(number), uri=f"/{number}")])
        requests.add([*(line(id=str(number)) for _ in range(5)), b"\xff", b"[]", b"{"])
    assert len(errors.kept) == MOST_ERRORS
    assert len(requests.kept) == MOST_REQUESTS
    assert len(errors._latest) == MOST_ERRORS
    assert len(msgspec.json.encode([*errors.kept.values()])) < 1 << 20
    (added,) = requests.add([line(uri="x" * 9999)])
    assert len(str(added["uri"])) < 600
