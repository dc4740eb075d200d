"""The lifespan of an ASGI app: its startup before the first request, its shutdown after the last."""

from __future__ import annotations

import asyncio
from typing import Any

from portico.link.asgi.trace import App
from portico.link.receive import Message


class StartupFailedError(Exception):
    """The app said that it could not start; the message is its own."""


class Lifespan:
    """One app's. `state` is what the app shares with its requests."""

    def __init__(self, app: App, log: Any) -> None:
        self.state: dict[str, Any] = {}
        self._app, self._log = app, log
        self._messages = asyncio.Queue[Message]()
        self._started, self._stopped = asyncio.Event(), asyncio.Event()
        self._failure: str | None = None
        self._is_asked = False
        """Whether the app has received what begins its startup."""
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Returns when the app is ready, or knows no lifespan. StartupFailedError if it says that it cannot start, or
        ends the process.
        """
        self._messages.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.get_running_loop().create_task(self._run())
        await self._started.wait()
        if self._failure is not None:
            raise StartupFailedError(self._failure)

    async def shutdown(self) -> None:
        """Lets the app clean up; returns when it has."""
        if self._task is None or self._task.done():
            return
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        await self._stopped.wait()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except (SystemExit, KeyboardInterrupt) as error:  # uvloop would end the loop without a word
            self._failure = f"the app ended the process: {error!r}"
        except Exception as error:  # noqa: BLE001  an app without a lifespan raises here
            if self._started.is_set():
                self._log.exception("the app failed in its lifespan")
            elif self._is_asked:
                self._log.exception(
                    "the app failed at its startup; it is served without its lifespan, as ASGI wants it"
                )
            else:
                self._log.debug("the app has no lifespan: %s", error)
        finally:
            self._started.set()
            self._stopped.set()

    async def _receive(self) -> Message:
        self._is_asked = True
        return await self._messages.get()

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.failed":
            self._failure = str(message.get("message", ""))
            self._started.set()
        elif kind == "lifespan.startup.complete":
            self._started.set()
        elif kind == "lifespan.shutdown.failed":
            self._log.error("the app failed at its shutdown: %s", message.get("message", ""))
            self._stopped.set()
        elif kind == "lifespan.shutdown.complete":
            self._stopped.set()
