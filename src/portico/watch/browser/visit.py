"""Opens a page in a browser and collects what it fetched, then adds what the gateway's log says of each request."""

from __future__ import annotations

import gzip
import json
import re
import time
from base64 import b64decode
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from portico.errors import PorticoError, Problem, UsageError
from portico.link.trace import Tracer
from portico.log.follow import Follower, decoded
from portico.log.reader import request_reader
from portico.log.request import Request
from portico.protocol.browser import Page, Picture, Resource
from portico.watch.browser import chromium
from portico.watch.browser.advice import advice
from portico.watch.browser.chromium import Chromium, Event, Params
from portico.watch.trace.evidence import TracedSite

_LINE_SECONDS = 4.0
"""The gateway writes its lines a quarter of a second after the answer, later on a loaded machine."""
_LOOK_SECONDS = 0.02
_ASK_SECONDS = 30.0
_HOST = re.compile(r"[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]")
_IDLE_SECONDS = 1.0
"""How long the last of two connections may take to end."""
_TEXT = ("text/", "application/javascript", "application/json", "application/xml", "image/svg+xml")
_MOST_BODIES, _MOST_BODY = 30, 4 << 20
_FACTS = """
new Promise(done => {
  const found = {largest: null};
  new PerformanceObserver(list => { for (const one of list.getEntries()) found.largest = one; })
    .observe({type: "largest-contentful-paint", buffered: true});
  const ends = performance.now() + 3000;
  const tell = () => {
    try { look(); } catch (error) { done(JSON.stringify({error: String(error)})); }
  };
  const look = () => {
    const images = [...Document.prototype.getElementsByTagName.call(document, "img")]
      .filter(one => one instanceof HTMLImageElement);
    const largest = found.largest;
    if (!largest && performance.now() < ends) return setTimeout(tell, 50);
    done(JSON.stringify({
      navigation: performance.getEntriesByType("navigation")[0],
      resources: performance.getEntriesByType("resource"),
      paints: performance.getEntriesByType("paint"),
      largest: largest && {at: largest.startTime, url: largest.url || "",
        what: largest.element ? String(largest.element.localName) : ""},
      pictures: images.slice(0, 1000).map(one => [String(one.currentSrc), one.naturalWidth, one.naturalHeight,
        Math.round(one.clientWidth * devicePixelRatio), Math.round(one.clientHeight * devicePixelRatio)]),
    }));
  };
  setTimeout(tell, 100);
})
"""
"""Runs in a world of its own, which the page's scripts cannot change; but `document.x` may be an element named x.
A busy machine may paint late."""


class Visit(Struct, frozen=True):
    """What to open, and where the site listens for it."""

    url: str
    connect: str = ""
    """`host:port` to connect to; empty: what the URL says."""
    own: tuple[str, ...] = ()
    """The site's own addresses, if the browser connects to those: of HTTP, of HTTPS."""
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 60.0


def visited(site: TracedSite, visit: Visit) -> Page:
    """The page in a browser. Raises PorticoError if there is no browser, or no answer."""
    log = Follower(site.access_log)
    page = _opened(visit)
    lines = _lines(log, {one.id for one in page.resources if one.id})
    page = replace(page, resources=tuple(_with_line(one, lines.get(one.id)) for one in page.resources))
    page = _masked(page, Tracer(None, site.masked).url)
    return replace(page, advice=tuple(advice(page)))


def _masked(page: Page, mask: Callable[[str], str]) -> Page:
    """Without the secrets in URLs, as every trace."""
    resources = (replace(one, url=mask(one.url), location=mask(one.location)) for one in page.resources)
    pictures = (replace(one, url=mask(one.url)) for one in page.pictures)
    return replace(
        page,
        url=mask(page.url),
        lcp_what=mask(page.lcp_what),
        resources=tuple(resources),
        pictures=tuple(pictures),
    )


def _opened(visit: Visit) -> Page:
    with chromium.running(_reached(visit)) as browser:
        try:
            return _page(browser, visit, _prepared(browser, visit))
        except TimeoutError as error:
            hint = "--max-time gives a page more; portico trace shows where it waits"
            what = f"the browser did not answer in time ({error})"
            raise PorticoError(Problem(visit.url, what, hint)) from None
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            what = f"the browser told something else than expected: {type(error).__name__} {error}"
            raise PorticoError(Problem("--browser", what)) from None


def _reached(visit: Visit) -> list[str]:
    """The addresses that the browser may reach. Raises UsageError for a URL without such a host."""
    try:
        parts = urlsplit(visit.url)
        name, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        host = f"[{name}]" if ":" in name else name.encode("idna").decode()
    except ValueError as error:
        raise UsageError(Problem(visit.url, f"this is not a URL: {error}")) from None
    if not _HOST.fullmatch(host):
        raise UsageError(
            Problem(visit.url, "its host is not a name or an address", "expected http://host/path")
        )
    own = [f"{host}:{address.rpartition(':')[2]} {address}" for address in visit.own]
    return [f"{host}:{port} {visit.connect}" if visit.connect else f"{host}:{port}", *own]


def _prepared(browser: Chromium, visit: Visit) -> str:
    """The browser's name and version; it has an empty page, and tells what it fetches."""
    ends = chromium.start_seconds()
    product = str(browser.call("Browser.getVersion", ends)["product"])
    browser.attach(ends)
    for domain in ("Network", "Page"):
        browser.call(f"{domain}.enable", ends)
    browser.call("Page.setLifecycleEventsEnabled", ends, enabled=True)
    if visit.own:  # they are the site's, whatever its certificate says
        browser.call("Security.setIgnoreCertificateErrors", ends, ignore=True)
    if visit.headers:
        browser.call("Network.setExtraHTTPHeaders", ends, headers=dict(visit.headers))
    return product


def _page(browser: Chromium, visit: Visit, product: str) -> Page:
    ends = time.monotonic() + visit.seconds
    frame = browser.call("Page.getFrameTree", ends)["frameTree"]["frame"]["id"]
    browser.events.clear()
    began = browser.call("Page.navigate", ends, url=visit.url)
    if error := began.get("errorText"):
        raise PorticoError(
            Problem(
                visit.url,
                f"the browser got no page: {error}",
                "it does not answer, answers without a page, or redirects to another host or port: portico trace",
            )
        )
    is_whole = _is_settled(browser, frame, ends)
    asked = time.monotonic() + _ASK_SECONDS
    facts = _facts(browser, frame, asked)
    resources = _resources(browser, facts, asked)
    document = next((one for one in reversed(resources) if one.kind == "Document"), None)
    navigation, largest = facts["navigation"], facts["largest"] or {}
    paints = {one["name"]: one["startTime"] for one in facts["paints"]}
    return Page(
        url=visit.url,
        browser=product,
        status=document.status if document else 0,
        error="" if is_whole else f"the page was not finished after {visit.seconds:g} s",
        ttfb_us=_us(navigation["responseStart"]),
        fcp_us=_us(paints.get("first-contentful-paint")),
        lcp_us=_us(largest.get("at")),
        lcp_what=" ".join(filter(None, (largest.get("what"), largest.get("url")))),
        loaded_us=_us(navigation["loadEventEnd"]),
        is_cut=not is_whole,
        resources=resources,
        pictures=tuple(Picture(*one) for one in facts["pictures"] if str(one[0]).startswith("http")),
    )


def _is_settled(browser: Chromium, frame: str, ends: float) -> bool:
    """Waits until the page has loaded and fetches no more; an open stream is not waited for.

    A page may lead to another by a script, so it is the frame that counts.
    """

    def has(name: str) -> Callable[[Event], bool]:
        return lambda one: (
            one.method == "Page.lifecycleEvent"
            and (one.params["name"], one.params["frameId"]) == (name, frame)
        )

    is_whole = browser.wait(has("load"), ends) and browser.wait(has("networkAlmostIdle"), ends)
    if is_whole:
        browser.wait(has("networkIdle"), min(ends, time.monotonic() + _IDLE_SECONDS))
    return is_whole


def _facts(browser: Chromium, frame: str, ends: float) -> Params:
    try:
        world = browser.call("Page.createIsolatedWorld", ends, frameId=frame)["executionContextId"]
        answer = browser.call(
            "Runtime.evaluate",
            ends,
            expression=_FACTS,
            contextId=world,
            awaitPromise=True,
            returnByValue=True,
        )
        found: Params = json.loads(answer["result"]["value"])
        if "error" in found:
            raise ValueError(found["error"])
    except (ValueError, KeyError) as error:
        raise PorticoError(Problem("--browser", f"the browser does not tell its times: {error}")) from None
    return found


class _Fetched:
    """One request while its events come in. Times of the browser's own clock, in seconds."""

    def __init__(self, params: Params) -> None:
        self.url: str = params["request"]["url"]
        self.kind: str = params.get("type", "")
        self.number: str = params["requestId"]
        self.began = self.ended = float(params["timestamp"])
        self.answer: Params = {}
        self.error = ""
        self.wire = self.body = 0

    def header(self, name: str) -> str:
        """A header of the answer, empty for none."""
        headers = self.answer.get("headers", {})
        return next((str(value) for key, value in headers.items() if key.lower() == name), "")

    def moment(self, name: str) -> float:
        """A moment of the connection; the beginning if the browser has none."""
        timing = self.answer.get("timing")
        return timing["requestTime"] + timing[name] / 1000 if timing and timing[name] >= 0 else self.began


def _fetched(browser: Chromium) -> list[_Fetched]:
    """Every request to a server, in order; each redirect is one of its own."""
    found, open_ones = list[_Fetched](), dict[str, _Fetched]()
    for event in browser.events:
        params = event.params
        one = open_ones.get(params.get("requestId", ""))
        match event.method:
            case "Network.requestWillBeSent":
                if one is not None and "redirectResponse" in params:
                    one.answer, one.ended = params["redirectResponse"], float(params["timestamp"])
                    one.wire = int(one.answer.get("encodedDataLength", 0))
                if params["request"]["url"].startswith("http"):
                    found.append(made := _Fetched(params))
                    open_ones[made.number] = made
            case "Network.responseReceived" if one is not None:
                one.answer, one.ended = params["response"], float(params["timestamp"])
                one.wire = int(one.answer.get("encodedDataLength", 0))
            case "Network.dataReceived" if one is not None:
                one.body += int(params["dataLength"])
            case "Network.loadingFinished" if one is not None:
                one.ended, one.wire = float(params["timestamp"]), int(params["encodedDataLength"])
            case "Network.loadingFailed" if one is not None:
                one.ended, one.error = float(params["timestamp"]), str(params["errorText"])
    return found


def _resources(browser: Chromium, facts: Params, ends: float) -> tuple[Resource, ...]:
    fetched, navigation = _fetched(browser), facts["navigation"]
    pages = [one for one in fetched if one.kind == "Document" and not one.header("location")]
    page = next(
        (one for one in reversed(pages) if one.url == navigation["name"]), pages[-1] if pages else None
    )
    # Both clocks have the moment at which the request of the page was sent.
    zero = (page.moment("sendStart") if page else 0.0) - navigation["requestStart"] / 1000
    blocking = {one["name"] for one in facts["resources"] if one.get("renderBlockingStatus") == "blocking"}
    timings = {
        one["name"]: {each["name"]: each["duration"] for each in one.get("serverTiming", ())}
        for one in (navigation, *facts["resources"])
    }
    made, bodies = [], 0
    for one in fetched:
        packed = None
        if _is_plain_text(one) and bodies < _MOST_BODIES:
            bodies += 1
            packed = _packed(browser, one, ends)
        timing = timings.get(one.url, {}) if not one.header("location") else {}
        made.append(_resource(one, zero, packed, timing, is_blocking=one.url in blocking))
    return tuple(made)


def _resource(
    one: _Fetched, zero: float, packed: int | None, timing: dict[str, float], *, is_blocking: bool
) -> Resource:
    return Resource(
        url=one.url, kind=one.kind, status=int(one.answer.get("status", 0)), error=one.error,
        id=one.header("x-request-id"), begins_us=_since(zero, one.began),
        sent_us=_since(zero, one.moment("sendStart")), head_us=_since(zero, one.moment("receiveHeadersStart")),
        ends_us=_since(zero, one.ended), wire_bytes=one.wire, body_bytes=one.body,
        type=one.header("content-type").partition(";")[0].strip().lower(), coding=one.header("content-encoding"),
        caching=one.header("cache-control"), is_blocking=is_blocking, gzip_bytes=packed,
        location=one.header("location"), server_timing=timing,
        by="", cache="", gateway_us=None, queue_us=None, app_us=None, endpoint="",
    )  # fmt: skip


def _is_plain_text(one: _Fetched) -> bool:
    kind = one.header("content-type").lower()
    coding = one.header("content-encoding").lower()
    return kind.startswith(_TEXT) and coding in ("", "identity") and 0 < one.body <= _MOST_BODY


def _packed(browser: Chromium, one: _Fetched, ends: float) -> int | None:
    """How large the body would be with gzip; None if the browser has it no more."""
    with suppress(ValueError):
        answer = browser.call("Network.getResponseBody", ends, requestId=one.number)
        body = b64decode(answer["body"]) if answer["base64Encoded"] else answer["body"].encode()
        return len(gzip.compress(body, 5))
    return None


def _lines(log: Follower, wanted: set[str]) -> dict[str, Request]:
    """The gateway's lines of these requests, as far as it writes them in time."""
    found, reader, ends = dict[str, Request](), request_reader(), time.monotonic() + _LINE_SECONDS
    while True:
        found |= {line.id: line for line in _of(reader.read(decoded(log.text())), wanted)}
        if len(found) == len(wanted) or time.monotonic() > ends:
            return found
        time.sleep(_LOOK_SECONDS)


def _of(lines: Iterable[Request], wanted: set[str]) -> list[Request]:
    return [line for line in lines if line.id in wanted]


def _with_line(one: Resource, line: Request | None) -> Resource:
    if line is None:
        return one
    by = "cache" if line.is_cache_hit else "gateway" if line.is_by_gateway else "app"
    numbers = line.numbers
    return replace(
        one, by=by, cache=line.cache, gateway_us=round(line.seconds * 1e6), queue_us=numbers.queue_us,
        app_us=numbers.app_us, endpoint=numbers.endpoint,
    )  # fmt: skip


def _since(zero: float, moment: float) -> int:
    return max(0, round((moment - zero) * 1e6))


def _us(milliseconds: Any) -> int | None:
    """None for a moment that did not come: the browser says 0 or nothing."""
    return round(milliseconds * 1000) if milliseconds else None
