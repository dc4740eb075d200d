"""What is kept of requests and errors is bounded, and an error finds its request in whatever order they come."""

from __future__ import annotations

import json

import pytest

from portico.watch.rings import MOST_ERRORS, MOST_REQUESTS, TRACED, Errors, Requests

TRACEBACK = "Traceback (most recent call last):\n  File ...\nValueError: x"


def request(name: str, status: int = 500) -> bytes:
    return json.dumps({"id": name, "status": status, "uri": "/x", "time": "t"}).encode()


def words(name: str, text: str) -> bytes:
    return json.dumps({"time": "t", "id": name, "pid": 1, "stream": "stderr", "text": text}).encode()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_error_and_its_request_are_one(order: tuple[int, int]) -> None:
    errors = Errors()
    steps = [lambda: errors.add_requests([request("a")]), lambda: errors.add_words([words("a", TRACEBACK)])]
    for index in order:
        steps[index]()
    (found,) = errors.changed()
    assert found["request"]["uri"] == "/x"
    assert "ValueError" in found["text"]
    assert errors.changed() == []


def test_a_failure_has_the_words_that_came_before_it() -> None:
    errors = Errors()
    errors.add_words([words("a", "looking at x"), words("b", "of somebody else")])
    assert errors.changed() == []
    errors.add_requests([request("a")])
    (found,) = errors.changed()
    assert found["text"] == "looking at x\n"


def test_traced_requests_stay_longer() -> None:
    requests = Requests()
    for number in range(100):
        requests.add([json.dumps({"uri": str(number), "agent": TRACED}).encode()])
        requests.add([request(str(number), 200) for _ in range(10)])
    traced = [line["uri"] for line in requests.kept if line.get("agent") == TRACED]
    assert traced == [str(number) for number in range(50, 100)]
    assert [line["n"] for line in requests.kept] == sorted(line["n"] for line in requests.kept)
    assert len(requests.kept) == MOST_REQUESTS + len(traced)


def test_nothing_grows_without_end() -> None:
    errors, requests = Errors(), Requests()
    for number in range(500):
        errors.add_words([words(str(number), TRACEBACK * 400), words("", TRACEBACK), b"{", b"[]", b'"x"'])
        errors.add_requests([request(str(number)), b"\xff"])
        requests.add([request(str(number), 200) for _ in range(5)])
    assert len(errors.kept) == MOST_ERRORS
    assert len(requests.kept) == MOST_REQUESTS
    assert len(json.dumps([*errors.kept.values()])) < 1 << 20
    (added,) = requests.add([json.dumps({"uri": "x" * 9999}).encode()])
    assert len(added["uri"]) < 600
