"""What Portico keeps of a browser's messages, by a pipe that the test writes to."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import pytest

from portico.errors import PorticoError
from portico.watch.browser import chromium
from portico.watch.browser.chromium import Chromium
from tests.support.until import PATIENCE_SECONDS

URL = "http://a.example/"


class Pipe:
    """The browser's side."""

    def __init__(self, browser: Chromium, asked: int, tells: int) -> None:
        self.browser, self._asked, self._tells = browser, asked, tells

    def tell(self, method: str, **params: Any) -> None:
        os.write(self._tells, json.dumps({"method": method, "params": params}).encode() + b"\0")

    def asked(self) -> list[dict[str, Any]]:
        return [json.loads(one) for one in os.read(self._asked, 1 << 16).split(b"\0") if one]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    (asked, commands), (answers, tells) = os.pipe(), os.pipe()
    with tempfile.TemporaryFile() as said:
        yield Pipe(Chromium(commands, answers, said), asked, tells)
    for number in (asked, commands, answers, tells):
        os.close(number)


def ends() -> float:
    return time.monotonic() + PATIENCE_SECONDS


def settled(pipe: Pipe) -> None:
    """Has all read that was told."""
    pipe.tell("Page.lifecycleEvent", name="load", frameId="1", loaderId="2")
    assert pipe.browser.wait(lambda one: one.method == "Page.lifecycleEvent", ends())


def test_only_what_is_read_is_kept(pipe: Pipe) -> None:
    pipe.tell("Network.dataReceived", requestId="1", timestamp=2, dataLength=3, data="x" * 100)
    pipe.tell("Network.webSocketFrameReceived", requestId="1", response={"payloadData": "x"})
    request = {"url": URL, "postData": "x"}
    pipe.tell("Network.requestWillBeSent", requestId="1", timestamp=2, initiator={}, request=request)
    settled(pipe)
    assert [one.params for one in pipe.browser.events] == [
        {"requestId": "1", "timestamp": 2, "dataLength": 3},
        {"requestId": "1", "timestamp": 2, "request": {"url": URL}},
        {"name": "load", "frameId": "1"},
    ]


@pytest.mark.parametrize(
    ("limit", "method"),
    [("_MOST_REQUESTS", "Network.requestWillBeSent"), ("_MOST_TOLD", "Network.webSocketFrameReceived")],
)
def test_a_page_that_fetches_without_end_is_left(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, limit: str, method: str
) -> None:
    monkeypatch.setattr(chromium, limit, 3)
    for _ in range(4):
        pipe.tell(method, requestId="1", timestamp=2, request={"url": URL})
    with pytest.raises(PorticoError, match="the page fetches without end") as raised:
        settled(pipe)
    assert "--max-time" in str(raised.value)


def test_a_page_that_never_stops_telling_does_not_stretch_the_time(pipe: Pipe) -> None:
    pipe.tell("Network.dataReceived", requestId="1", timestamp=2, dataLength=3)
    assert not pipe.browser.wait(lambda _: True, time.monotonic())
    with pytest.raises(TimeoutError):
        pipe.browser.call("Browser.getVersion", time.monotonic())


def test_a_dialog_is_answered(pipe: Pipe) -> None:
    pipe.tell("Page.javascriptDialogOpening", url=URL, message="hello", type="alert")
    settled(pipe)
    (answer,) = pipe.asked()
    assert (answer["method"], answer["params"]) == ("Page.handleJavaScriptDialog", {"accept": False})
