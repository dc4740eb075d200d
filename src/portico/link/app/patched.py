"""Apps that have gevent or eventlet replace Python's threads or its select: no worker of Portico's runs on those."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from portico.link.app.error import AppError, listed
from portico.link.app.objects import own_modules

_PATCHERS: Final = (
    ("gevent", "gevent.monkey", "is_module_patched", "threading", "monkey.patch_all()"),
    ("eventlet", "eventlet.patcher", "is_monkey_patched", "thread", "eventlet.monkey_patch()"),
)
"""Their names for Python's threads, and the usual call."""
_SELECT: Final = "select"
"""With it `select.epoll` is gone. With the threads, uWSGI's hang after some requests, too: a lock that one holds stops
its whole process. What patches neither (grequests) runs on threads.
"""
_SOCKET: Final = "socket"
"""asyncio's event loop needs Python's own, too."""
_CALL: Final = re.compile(r"^\s*(?:[\w.]+\.)?(?:patch_all|monkey_patch)\(", re.MULTILINE)


def refuse_patched(where: str, directory: Path, *, is_asgi: bool) -> None:
    """Raises AppError if the import of the app `where` has patched what its worker needs."""
    for package, module, asks, threads, call in _PATCHERS:
        needed = (threads, _SELECT, *((_SOCKET,) if is_asgi else ()))
        if parts := [part for part in needed if _is_patched(sys.modules.get(module), asks, part)]:
            what = f"{package} has patched Python's {listed(parts)}; Portico's workers need Python's own"
            raise AppError(next(_calls(directory), where), what, _hint(package, call, is_asgi=is_asgi))


def _is_patched(module: Any, asks: str, part: str) -> bool:
    try:
        return bool(getattr(module, asks)(part))
    except Exception:  # noqa: BLE001  not imported, or another version that cannot be asked
        return False


def _calls(directory: Path) -> Iterator[str]:
    """The places in the app's own modules where it is patched: `/srv/shop/shop.py:2`."""
    for module in own_modules(directory):
        try:
            text = Path(str(module.__file__)).read_text()
        except (OSError, ValueError):
            continue
        if found := _CALL.search(text):
            yield f"{module.__file__}:{text.count(chr(10), 0, found.end()) + 1}"


def _hint(package: str, call: str, *, is_asgi: bool) -> str:
    instead = (
        "an ASGI app has its event loop"
        if is_asgi
        else "each request has a thread of its own ([workers] threads)"
    )
    return (
        f"remove {call}: {instead}\n"
        f"or start the app under {package}'s own server, at an address of this machine,\n"
        'and have nginx pass requests on to it: [upstream] servers = ["127.0.0.1:9000"] in portico.toml'
    )
