"""The requests that are made: seven kinds, each with what makes it worth measuring."""

from __future__ import annotations

from dataclasses import dataclass

UPLOAD_BYTES = 1_000_000  # under nginx's own default limit of 1 MiB, so no peer needs a special setting


@dataclass(frozen=True)
class Workload:
    key: str
    title: str
    path: str
    method: str = "GET"
    body_bytes: int = 0
    status: int = 200
    app: str = "app"
    """The module below apps/ that answers, and so the peers that are asked."""
    headers: tuple[str, ...] = ()
    """Of the request, each `Name: value`."""


WORKLOADS = (
    Workload("text", "one-line text", "/text"),
    Workload("json", "10 kB JSON", "/json"),
    Workload("wait", "a view that waits 10 ms", "/wait"),
    Workload("upload", "1 MB upload", "/upload", method="POST", body_bytes=UPLOAD_BYTES),
    Workload("page", "30 kB template page", "/page"),
    Workload("missing", "404", "/missing/page", status=404),
    Workload("async", "one-line FastAPI view, async", "/text", app="fast"),
)
READY = WORKLOADS[0]
