"""How much nginx reads from a client, how slow the client may be, and how much of an answer waits for it."""

from __future__ import annotations

from portico.place.model import Build
from portico.plan.gateway.nginx.abilities import SINCE
from portico.plan.gateway.nginx.app.link import dialect
from portico.plan.gateway.nginx.pages import HEAD_KIB
from portico.plan.gateway.nginx.syntax import Directive, directive, time
from portico.plan.web.ability import Ability
from portico.plan.web.entry import transfer as decided
from portico.plan.web.model import Web

_SLOW_CLIENTS = "https://nginx.org/en/docs/http/ngx_http_core_module.html#client_header_timeout"


def client_times(build: Build) -> list[Directive]:
    """How slow a client may be, at `http` level, the same for every site."""
    made = [
        directive(
            "client_header_timeout", time(decided.HEAD_SECONDS),
            why="a client that sends its head too slowly is closed; nginx counts it against no address before "
            "the head is complete, so this time is the bound",
            source=_SLOW_CLIENTS,
        ),
        directive(
            "client_body_timeout", time(decided.BODY_PAUSE_SECONDS),
            why="between two reads of a body: a long upload goes on",
        ),
        directive(
            "send_timeout", time(decided.SEND_PAUSE_SECONDS),
            why="between two writes: a slow download goes on, a dead one ends",
        ),
        directive("reset_timedout_connection", "on", why="frees what a dead client held at once"),
        directive(
            "keepalive_timeout", time(decided.IDLE_SECONDS), why="a browser's next click uses the same connection"
        ),
    ]  # fmt: skip
    if build.since(*SINCE[Ability.KEEPS_IDLE]):
        made.append(
            directive(
                "keepalive_min_timeout",
                time(decided.LEAST_IDLE_SECONDS),
                why="on a reload, idle connections stay open a while: without it 320 of 2 016 requests were lost "
                "in 20 reloads, with it none",
            )
        )
    return made


def request_limits(web: Web) -> list[Directive]:
    """At `http` level: how much a request of this site may have."""
    return [
        directive(
            "client_max_body_size", int(web.transfer.largest_body),
            why="nginx refuses a larger upload with 413, before it costs anything",
            cause=web.transfer.body_cause,
        ),
    ]  # fmt: skip


def heads() -> list[Directive]:
    """At `http` level: the buffers for the head and body of a request, the same for every site."""
    return [
        directive(
            "request_pool_size", "16k",
            why="a page from the cache fits into one piece of memory, and pieces of this size are kept by the embedded "
            "nginx's allocator; others are got from the kernel and given back, which can cost as much as all the rest",
        ),
        directive("client_body_buffer_size", "64k", why="small forms stay in memory, larger bodies go to disk"),
        directive(
            "large_client_header_buffers", 16, f"{decided.LINE_KIB}k",
            why=f"a header or an address may have {decided.LINE_KIB} KiB; HTTP/2 has no page for more than all of "
            f"these: heads above {HEAD_KIB} KiB are refused later, where the app is asked",
        ),
    ]  # fmt: skip


def answers(web: Web) -> list[Directive]:
    """At `http` level: how much of the app's answer nginx buffers ahead of the client."""
    link, (room, why) = dialect(web), _answer_head(web.place.gateway)
    return [
        directive(f"{link}_buffer_size", f"{room}k", why=why),
        directive(
            f"{link}_busy_buffers_size", f"{max(room, 32)}k", why="nginx requires at least the room for the head here",
        ),
        directive(
            f"{link}_buffers", 6, "16k",
            why="takes a whole page from the worker at once: a slow client keeps nginx busy, not the app",
        ),
        directive(
            f"{link}_max_temp_file_size", f"{web.transfer.answer_on_disk >> 10}k",
            why="so much of an answer waits on disk for a slow client, and the app is free; a larger one goes "
            "on at the client's speed. If slow clients hold every connection, a quarter of the disk is used",
            cause=web.transfer.disk_cause,
        ),
    ]  # fmt: skip


def _answer_head(build: Build) -> tuple[int, str]:
    """The buffer for the head of an answer in KiB, and its reason."""
    if build.origin == "embedded":
        return 24, (
            "room for the head of an answer; the embedded nginx asks the kernel for each larger piece, 8 to 19 us of "
            "CPU for every request"
        )
    return decided.ANSWER_KIB + 8, (
        f"room for an answer's head of {decided.ANSWER_KIB} KiB, its status line and the numbers of the worker; "
        "memory that an answer does not fill is never touched"
    )
