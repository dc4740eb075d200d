"""Runs blocking work without blocking the loop, each in a daemon thread, so that the exit does not wait for it.

asyncio's own executor joins its threads at exit, so a question to a hanging app would delay Ctrl-C.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def from_thread(loop: asyncio.AbstractEventLoop, work: Callable[[], T], seconds: float = 5.0) -> T:
    """The result of `work`, run in the loop's own thread; call it from another thread. Raises TimeoutError."""

    async def do() -> T:
        return work()

    return asyncio.run_coroutine_threadsafe(do(), loop).result(seconds)


async def in_background(work: Callable[[], T]) -> T:
    """Returns or raises the result of `work`."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def go() -> None:
        result: T | None = None
        error: Exception | None = None
        try:
            result = work()
        except Exception as raised:  # noqa: BLE001  raised again where it is awaited
            error = raised
        except BaseException as raised:  # noqa: BLE001  it must end this thread alone, and the waiting caller must learn of it
            error = RuntimeError(repr(raised))
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            pass  # the loop has ended: nothing waits for the result

    threading.Thread(target=go, daemon=True).start()
    return await future


async def guarded(work: Coroutine[Any, Any, None], failed: Callable[[Exception], None]) -> None:
    """Do the work; an error goes to `failed`, so that the caller does not wait forever."""
    try:
        await work
    except Exception as error:  # noqa: BLE001  as said
        failed(error)
