"""`portico dashboard`: a live view of a running site, in a browser on this machine."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import click

from portico.cli import output
from portico.cli.running import one_site, running_site
from portico.errors import PorticoError, Problem
from portico.protocol.commands import LIVE, METRICS, TRACE, OfRequest
from portico.protocol.feed import Item
from portico.protocol.trace import Trace
from portico.run.control import client


@click.command("dashboard")
@running_site
@click.option("--port", default=0, metavar="N", help="The port on 127.0.0.1; a free one when left out.")
@click.option("--no-open", is_flag=True, help="Only print the address, open no browser.")
def command(app: str | None, config: str | None, name: str, port: int, no_open: bool) -> None:
    """Show a running site live in a browser, until Ctrl-C.

    The address works on this machine only and holds a key, which keeps other users out. From elsewhere:
    ssh -L PORT:127.0.0.1:PORT, or [dashboard] listen with a password.
    """
    import asyncio

    runtime = one_site(app, config, name)
    try:
        asyncio.run(_serve(runtime, port, opens=not no_open and _has_browser()))
    except KeyboardInterrupt:
        pass


class _Remote:
    """The data that the running site sends over its control socket."""

    def __init__(self, runtime: str) -> None:
        self._runtime = runtime

    def follow(self) -> AsyncGenerator[Item, None]:
        return client.listen(self._runtime, LIVE)

    async def exposition(self) -> str:
        async for answer in client.listen(self._runtime, METRICS):
            return answer.text
        return ""

    async def trace(self, request_id: str) -> Trace | None:
        async for answer in client.listen(self._runtime, TRACE, OfRequest(request_id)):
            return answer.trace
        return None


async def _serve(runtime: str, port: int, *, opens: bool) -> None:
    import asyncio

    from portico.watch.access import Ticket
    from portico.watch.endpoint import Endpoint

    key = secrets.token_urlsafe(18)
    endpoints: list[Endpoint] = []  # they know the port, which is known once they are open
    try:
        server = await asyncio.start_server(
            lambda reader, writer: endpoints[0].answer(reader, writer), "127.0.0.1", port, limit=1 << 14
        )
    except (OSError, OverflowError) as error:
        hint = "choose another --port, or none"
        raise PorticoError(Problem(f"127.0.0.1:{port}", f"cannot listen: {error}", hint)) from error
    port = server.sockets[0].getsockname()[1]
    ticket = Ticket(key, port)
    endpoints.append(Endpoint(_Remote(runtime), ticket, below=ticket.path))
    url = f"http://127.0.0.1:{port}/?key={key}"
    output.result(url)
    output.say(output.faint("  for this machine alone; Ctrl-C ends it"))
    with _page_that_leads_to(url) as page:
        if opens:
            import webbrowser

            webbrowser.open(page)
        await server.serve_forever()


@contextmanager
def _page_that_leads_to(url: str) -> Iterator[str]:
    """The address of a file that redirects a browser to the dashboard; only our own user can read the file.

    Every user of the machine can read a browser's arguments, so the key must not be among them.
    """
    import tempfile  # mkdtemp: 0700
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="portico-") as directory:
        page = Path(directory) / "open.html"
        page.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={url}">\n', "utf-8")
        page.chmod(0o600)
        yield page.as_uri()


def _has_browser() -> bool:
    """Whether there is a graphical display; a browser in this terminal would hide the output."""
    return output.is_terminal() and bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
