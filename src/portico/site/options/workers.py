"""The table [workers]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from portico.app_servers.kinds import NAMES
from portico.site.options.section import Section, option
from portico.values import Duration, Size

if TYPE_CHECKING:
    Server = str
else:
    Server = Literal[NAMES]


class Workers(Section, frozen=True):
    """The processes and threads that run the app."""

    shorthand: ClassVar[str] = "count"

    count: Annotated[
        int | Literal["auto"],
        option(
            "Worker processes. `auto`: one for each CPU of the cgroup quota, at least 2, as many as fit the memory.",
            example=4,
        ),
    ] = "auto"
    threads: Annotated[
        int | Literal["auto"],
        option(
            "Threads in each worker: how many requests one worker handles at once. `auto`: 8, and up to 64 while "
            "requests wait in the queue and the threads wait for something else than a processor, as the memory "
            "allows; those that were idle for 10 s end. A number keeps it, and 1 is for apps that are not thread-safe. "
            "With uWSGI, `auto` is a fixed number. Of an ASGI app: how many requests the event loop of a worker runs "
            "at a time, WebSockets and streams not counted; `auto`: any number.",
            example=8,
        ),
    ] = "auto"
    max_requests: Annotated[
        int,
        option(
            "Requests after which a worker is replaced, with a tenth of jitter so that not all leave at once; 0 "
            "disables it. No request is lost: the worker serves until its successor has loaded the app.",
            example=10000,
            source="https://docs.gunicorn.org/en/stable/settings.html#max-requests",
        ),
    ] = 0
    max_memory: Annotated[
        Size | None,
        option(
            "Resident memory above which a worker is replaced, without losing a request. If a worker exceeds it "
            "right after loading the app, the limit becomes one and a half times that, and Portico prints a note. "
            "Default: its share of three quarters of the memory of the cgroup or machine.",
            example="512MiB",
        ),
    ] = None
    queue: Annotated[
        Duration | None,
        option(
            "How long a request may wait for a worker in an overload: the queue is limited to what the workers "
            "answer in that time, and at least one request for each thread. Requests beyond it get 503 with "
            "`Retry-After` at once. A short burst passes: the limit begins when no worker has been idle for a "
            "second, and the time shrinks, down to a tenth, while many clients leave without an answer. Default: "
            "a sixth of `request_timeout`. `0s` sets no such limit: requests wait for up to three quarters of "
            "`request_timeout`. Of an ASGI app: only with a number of `threads`, because otherwise no request waits.",
            example="1s",
        ),
    ] = None
    server: Annotated[
        Server,
        option("The program that runs the app: Gunicorn with Portico's worker, or uWSGI.", example="uwsgi"),
    ] = "gunicorn"
